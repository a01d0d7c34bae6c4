#!/usr/bin/perl
# bad_server.pl - an HTTP server on loopback that does what a good one never does, for clients to meet it.
#
# usage: bad_server.pl DIR
#
# The port is written to DIR/port.  Each request adds a line to DIR/requests: method, path with its query, Range or -,
# user or -.  What is answered stands in DIR, under the request's name: method, and path without its query, with _ for /:
#
#   NAME.3         the answer to its third request, NAME the one to all others: a status line, headers, an empty line,
#                  a body.  Content-Length and "Connection: close" are added
#   NAME.wait      seconds before each answer
#   NAME.file      in place of NAME, the path of a file: served with ranges
#   NAME.cut       of that file, at most so many bytes go out in one answer, then the connection breaks
#   NAME.norange   that file is always served whole
# Without any of them the answer is 404 with an empty body.  It ends by SIGTERM, or with who started it.
use strict;
use warnings;
use IO::Socket::INET;
use MIME::Base64;

my $dir = shift or die "usage: bad_server.pl DIR\n";
my %count;

sub content {
    my ($path) = @_;
    open my $in, '<:raw', $path or return undef;
    local $/;
    my $text = <$in>;
    return $text;
}

sub note {
    my ($name, $text) = @_;
    open my $out, '>>', "$dir/$name" or die "$dir/$name: $!\n";
    print $out $text;
    close $out;
}

sub user_of {
    my ($basic) = @_;
    return '-' unless defined $basic && $basic =~ /^Basic (\S+)/i;
    return decode_base64($1) =~ /^([^:]*)/ ? $1 : '-';
}

sub send_file {
    my ($client, $name, $range) = @_;
    chomp(my $path = content("$dir/$name.file"));
    my $bytes = content($path);
    my ($from, $status) = (0, '200 OK');
    if ($range =~ /^bytes=(\d+)-/ && !-e "$dir/$name.norange") {
        $from = $1;
        if ($from >= length $bytes) {
            print $client "HTTP/1.1 416 No\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno\n";
            return;
        }
        $status = "206 Partial Content\r\nContent-Range: bytes $from-" . (length($bytes) - 1) . '/' . length $bytes;
    }
    my $rest = substr $bytes, $from;
    print $client "HTTP/1.1 $status\r\nContent-Length: " . length($rest) . "\r\nConnection: close\r\n\r\n";
    my $cut = content("$dir/$name.cut");
    print $client defined $cut && $cut < length $rest ? substr $rest, 0, $cut : $rest;
}

sub serve {
    my ($client) = @_;
    my ($method, $target) = (<$client> // '') =~ m{^(\w+) (\S+) HTTP/1} or return;
    my %header;
    while (defined(my $line = <$client>)) {
        last if $line =~ /^\r?\n$/;
        $header{lc $1} = $2 if $line =~ /^([\w-]+):\s*(.*?)\r?\n/;
    }
    read $client, my $sent, $header{'content-length'} // 0;
    my $range = $header{range} // '-';
    note('requests', "$method $target $range " . user_of($header{authorization}) . "\n");
    (my $name = $method . $target) =~ s/\?.*//;
    $name =~ tr{/}{_};
    my $wait = content("$dir/$name.wait");
    # the alarm cuts a sleep short
    my $until = time + ($wait // 0);
    sleep 1 while time < $until;
    my $answer = content("$dir/$name." . ++$count{$name}) // content("$dir/$name");
    if (defined $answer) {
        my ($head, $body) = split /\n\n/, $answer, 2;
        $body //= '';
        $head =~ s/\n/\r\n/g;
        print $client "$head\r\nContent-Length: " . length($body) . "\r\nConnection: close\r\n\r\n$body";
    }
    elsif (-e "$dir/$name.file") { send_file($client, $name, $range) }
    else { print $client "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" }
}

$SIG{PIPE} = 'IGNORE';
my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 16) or die "no socket: $!\n";
note('port', $server->sockport . "\n");
# not longer than the test that started it
my $parent = getppid;
$SIG{ALRM} = sub { exit if getppid != $parent; alarm 2 };
alarm 2;
while (1) {
    my $client = $server->accept or next;
    serve($client);
    close $client;
}
