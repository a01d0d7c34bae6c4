#!/usr/bin/perl
# fault_proxy.pl - stands before a real web server and fails as it is told.
#
# usage: fault_proxy.pl RULES PORT
#   PORT   of 127.0.0.1: where the real server is
#   RULES  a file, read anew for each request; lines "METHOD PATH ACTION", the first that fits counts.  METHOD and PATH
#          are Perl patterns, the actions:
#            NNN        answer with that status; 401 asks for a password, 429 and 503 say "Retry-After: 1"
#            NNN*TIMES  so many times, then the rule is no more
#            hang       no answer at all
#            drop       the connection is closed
#            cut        the real answer without its last byte
#   Without a rule that fits the real server answers.
#
# Prints its own port, then serves one request a connection until it is killed or its parent has gone.
use strict;
use warnings;
use IO::Handle;
use IO::Select;
use IO::Socket::INET;

my ($rules, $port) = @ARGV;
my ($parent, $main, %used) = (getppid(), $$);
my $listener = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1', LocalPort => 0) or die "no socket: $!\n";
$SIG{PIPE} = 'IGNORE';
$SIG{CHLD} = 'IGNORE';
STDOUT->autoflush(1);
print $listener->sockport, "\n";

sub action {
    my ($method, $path) = @_;
    open(my $in, '<', $rules) or return '';
    while (my $line = <$in>) {
        my ($m, $p, $action) = split ' ', $line;
        next unless defined $action && $method =~ /^(?:$m)$/ && $path =~ /$p/;
        if ($action =~ /^(\d+)\*(\d+)$/) {
            next if ($used{$line} // 0) >= $2;
            $used{$line}++;
            return $1;
        }
        return $action;
    }
    return '';
}

sub canned {
    my ($client, $status, $method) = @_;
    my $more = $status == 401 ? "WWW-Authenticate: Basic realm=\"a test\"\r\n" :
        $status == 429 || $status == 503 ? "Retry-After: 1\r\n" : '';
    my $code = { 401 => 'UNAUTHORIZED', 403 => 'DENIED', 429 => 'TOOMANYREQUESTS' }->{$status} // 'UNKNOWN';
    my $body = qq({"errors":[{"code":"$code","message":"a test says $status"}]});
    syswrite($client, "HTTP/1.1 $status a test\r\nContent-Type: application/json\r\nContent-Length: " . length($body) .
        "\r\n${more}Connection: close\r\n\r\n" . ($method eq 'HEAD' ? '' : $body));
    shutdown($client, 1);
    # what still comes is read, or the answer may be lost
    my $rest = IO::Select->new($client);
    while ($rest->can_read(5)) { sysread($client, my $more_of_it, 65536) or last; }
}

sub send_all {
    my ($to, $bytes) = @_;
    my $at = 0;
    while ($at < length $bytes) {
        $at += syswrite($to, $bytes, length($bytes) - $at, $at) // return 0;
    }
    return 1;
}

# Both ways until the server closes; with "cut" its last byte is kept back.
sub forward {
    my ($client, $head, $cut) = @_;
    my $server = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or return;
    my ($kept, $both) = ('', IO::Select->new($client, $server));
    $head =~ s/\r\nConnection:[^\r]*//i;
    $head =~ s/\r\n/\r\nConnection: close\r\n/;
    send_all($server, $head) or return;
    for (;;) {
        for my $from ($both->can_read) {
            my $read = sysread($from, my $bytes, 65536);
            if (!$read) {
                return if $from == $server;
                $both->remove($client);
            } elsif ($from == $client) {
                send_all($server, $bytes) or return;
            } else {
                $kept .= $bytes;
                my $now = $cut ? substr($kept, 0, -1, '') : $kept;
                $kept = '' unless $cut;
                send_all($client, $now) or return;
            }
        }
    }
}

sub serve {
    my ($client, $head, $action, $method) = @_;
    if ($action eq 'hang') {
        while (getppid() == $main) { sleep 1; }
    } elsif ($action =~ /^\d+$/) {
        canned($client, $action, $method);
    } elsif ($action ne 'drop') {
        forward($client, $head, $action eq 'cut');
    }
}

# The head is read here, where the rules are counted; the rest in a process of its own.
my $ready = IO::Select->new($listener);
while (getppid() == $parent) {
    next unless $ready->can_read(1);
    my $client = $listener->accept or next;
    my $head = '';
    # docker tries https first: what does not begin like a method is closed, not waited for
    while ($head !~ /\r\n\r\n/ && $head =~ /^[A-Z]*/ && ($head eq '' || $+[0] > 0)) {
        sysread($client, $head, 65536, length $head) or last;
    }
    if (my ($method, $path) = $head =~ /^(\S+) (\S+)/) {
        my $action = action($method, $path);
        if (!(fork() // die "fork: $!\n")) {
            close($listener);
            serve($client, $head, $action, $method);
            exit 0;
        }
    }
    close($client);
}
