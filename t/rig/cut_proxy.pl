#!/usr/bin/perl
# cut_proxy.pl - passes TCP connections on and cuts the first ones off, as a bad network does.
#
# usage: cut_proxy.pl PORT BYTES TIMES
#   PORT   of 127.0.0.1: where the real server is
#   BYTES  of an answer, headers counted, that come through before it is cut
#   TIMES  so many connections are cut; later ones are whole
#
# Prints its own port, then serves until it is killed or its parent has gone.
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;

my ($port, $bytes, $times) = @ARGV;
my $parent = getppid();
my $listener = IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1', LocalPort => 0) or die "no socket: $!\n";
$SIG{PIPE} = 'IGNORE';
$SIG{CHLD} = 'IGNORE';
$| = 1;
print $listener->sockport, "\n";

# write all of it; false when nobody takes it
sub pass {
    my ($to, $data) = @_;
    while (length $data) {
        my $n = syswrite($to, $data) // return 0;
        substr($data, 0, $n) = '';
    }
    return 1;
}

sub serve {
    my ($client, $left) = @_;
    my $server = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or return;
    my $both = IO::Select->new($client, $server);
    while (my @ready = $both->can_read) {
        for my $from (@ready) {
            sysread($from, my $data, 65536) or return;
            if ($from == $server && defined $left) {
                $data = substr($data, 0, $left);
                $left -= length $data;
            }
            pass($from == $server ? $client : $server, $data) or return;
            return if defined $left && $left <= 0;
        }
    }
}

while (getppid() == $parent) {
    next unless IO::Select->new($listener)->can_read(1);
    my $client = $listener->accept or next;
    my $cut = $times-- > 0;
    next if fork;
    serve($client, $cut ? $bytes : undef);
    exit 0;
}
