#!/usr/bin/perl
# pollers.pl - many clients that ask for an address, each by a new connection, like Ansible does.
#
# usage: pollers.pl [--clients N] [--agent NAME] [--pause MS] [--once] PATH...
#   PATH         below the prefix; client i asks for path i modulo their number
#   --once       one answer each; else again and again until TERM, then what is under way is still waited for
#   --pause MS   between a client's answer and its next request (0)
# CIC_URL, CIC_USER and CIC_PASSWORD, as instance.env has them, are read from the environment.  "ready" is printed when
# all first requests are sent.  At the end: one line "STATUS COUNT" for each status (000: no answer), "longest MS",
# "median MS", "p99 MS", and "last MS", when the last answer came, since 1970.
#
# Exit codes: 0 all answers were 200, 1 not, 2 wrong usage.
use strict;
use warnings;
use Getopt::Long;
use IO::Select;
use IO::Socket::INET;
use MIME::Base64;
use Time::HiRes qw(time);

my ($clients, $agent, $pause, $once) = (50, 'pollers', 0, 0);
GetOptions('clients=i' => \$clients, 'agent=s' => \$agent, 'pause=i' => \$pause, 'once' => \$once) && @ARGV or exit 2;
my @paths = @ARGV;
my ($host) = $ENV{CIC_URL} =~ m{^http://([^/]+)} or die "CIC_URL?\n";
my $auth = encode_base64("$ENV{CIC_USER}:$ENV{CIC_PASSWORD}", '');
my $stopping = 0;
$SIG{TERM} = sub { $stopping = 1 };
$SIG{PIPE} = 'IGNORE';
$| = 1;

my (%status, @ms, $last);
my $select = IO::Select->new;
my (%of, @due);    # connection => client; [time, client] of those that pause

sub done {
    my ($client, $code) = @_;
    $last = time;
    $status{$code}++;
    push @ms, ($last - $client->{begun}) * 1000;
    push @due, [$last + $pause / 1000, $client] unless $once;
}

sub ask {
    my ($client) = @_;
    $client->{begun} = time;
    $client->{text} = '';
    my $socket = IO::Socket::INET->new(PeerAddr => $host, Proto => 'tcp') or return done($client, '000');
    print $socket "GET /image_creation$client->{path} HTTP/1.1\r\nHost: $host\r\nAuthorization: Basic $auth\r\n"
        . "User-Agent: $agent\r\nConnection: close\r\n\r\n";
    $socket->flush;
    $socket->blocking(0);
    $of{$socket} = $client;
    $select->add($socket);
}

sub hear {
    my ($socket) = @_;
    my $client = $of{$socket};
    my $n = sysread $socket, $client->{text}, 65536, length $client->{text};
    return if $n || (!defined $n && $!{EAGAIN});
    $select->remove($socket);
    delete $of{$socket};
    close $socket;
    # an answer is complete, or it is none
    my ($code, $length) = $client->{text} =~ /\AHTTP\/1\.1 (\d{3}).*?\r\nContent-Length: (\d+)\r\n/s;
    $code = '000' unless defined $length && $client->{text} =~ /\r\n\r\n(.*)\z/s && length $1 == $length;
    done($client, $code);
}

ask({ path => $paths[$_ % @paths] }) for 0 .. $clients - 1;
print "ready\n";
while ($select->count || (@due && !$stopping)) {
    my $wait = @due && !$stopping ? $due[0][0] - time : 1;
    hear($_) for $select->can_read($wait > 0 ? $wait : 0);
    ask((shift @due)->[1]) while !$stopping && @due && $due[0][0] <= time;
}

@ms = sort { $a <=> $b } @ms;
print "$_ $status{$_}\n" for sort keys %status;
printf "longest %.0f\nmedian %.1f\np99 %.1f\nlast %.0f\n", $ms[-1], $ms[$#ms / 2], $ms[$#ms * 0.99], $last * 1000;
exit(keys %status == 1 && $status{200} ? 0 : 1);
