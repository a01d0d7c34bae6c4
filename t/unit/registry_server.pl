#!/usr/bin/perl
# registry_server.pl - a web server that answers as it is told, for test_registry.c.
#
# usage: registry_server.pl FOLDER [CERTIFICATE KEY]     with those two it speaks TLS
#
# Prints its port (of 127.0.0.1), then serves one request a connection until it is killed or its parent has gone.
# FOLDER/rule.N says what to answer, the first that fits counts: a line "METHOD|PATH|AUTHORIZATION|TIMES" ("*" is any;
# AUTHORIZATION "none" is no such header), then the bytes of the answer; to HEAD only its header; "HANG": none at all.
# FOLDER/seen gets a line for each request: "METHOD PATH HOST AUTHORIZATION".
use strict;
use warnings;
use IO::Handle;
use IO::Select;
use IO::Socket::INET;

my ($folder, $certificate, $key) = @ARGV;
my ($parent, %used, @hung) = (getppid());
my $listener = IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1', LocalPort => 0)
    or die "no socket: $!\n";
require IO::Socket::SSL if defined $key;
$SIG{PIPE} = 'IGNORE';
STDOUT->autoflush(1);
print $listener->sockport, "\n";

sub read_file {
    open(my $in, '<:raw', $_[0]) or return;
    local $/;
    return scalar <$in>;
}

sub answer {
    my ($method, $path, $authorization) = @_;
    for (my $n = 0; defined(my $rule = read_file("$folder/rule.$n")); $n++) {
        my ($head, $bytes) = split /\n/, $rule, 2;
        my ($m, $p, $a, $times) = split /\|/, $head;
        next unless ($m eq '*' || $m eq $method) && ($p eq '*' || $p eq $path) && ($a eq '*' || $a eq $authorization);
        next if $times ne '*' && ($used{$n} // 0) >= $times;
        $used{$n}++;
        return $bytes;
    }
    return "HTTP/1.1 418 no rule\r\nContent-Length: 0\r\n\r\n";
}

sub serve {
    my ($client) = @_;
    my $text = '';
    if (defined $key) {
        IO::Socket::SSL->start_SSL($client, SSL_server => 1, SSL_cert_file => $certificate, SSL_key_file => $key,
            Timeout => 10) or return;
    }
    while ($text !~ /\r\n\r\n/) {
        sysread($client, $text, 65536, length $text) or return;
    }
    my ($method, $path) = $text =~ /^(\S+) (\S+)/ or return;
    $path =~ s{(%[0-9A-F]{2})}{lc $1}ge;          # libcurls differ
    my ($host) = $text =~ /^Host: *(.*?)\r$/mi;
    my ($authorization) = $text =~ /^(?:Proxy-)?Authorization: *(.*?)\r$/mi;
    $authorization //= 'none';
    open(my $seen, '>>', "$folder/seen") or die "seen: $!\n";
    print $seen "$method $path ", $host // '-', " $authorization\n";
    close($seen);
    my $bytes = answer($method, $path, $authorization);
    if ($bytes =~ /^HANG/) {
        push @hung, $client;
        return;
    }
    $bytes =~ s/(\r\n\r\n).*/$1/s if $method eq 'HEAD';
    $bytes =~ s/\r\n/\r\nConnection: close\r\n/;
    my $at = 0;
    while ($at < length $bytes) {
        $at += syswrite($client, $bytes, 65536, $at) || last;
    }
    close($client);
}

my $ready = IO::Select->new($listener);
while (getppid() == $parent) {
    next unless $ready->can_read(1);
    my $client = $listener->accept or next;
    serve($client);
}
