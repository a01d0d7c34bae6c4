#!/usr/bin/perl
# socket_holder.pl - hold a listening Unix socket and run a program with it as file descriptor 0, as systemd does by a
# .socket unit: when the program ends it is started again, and the socket stays open meanwhile.
#
# usage: socket_holder.pl SOCKET PIDFILE PROGRAM ARGUMENT...
# The program's process id is written to PIDFILE.  TERM ends the program, then the holder.
use strict;
use warnings;
use IO::Socket::UNIX;
use POSIX qw(:errno_h dup2);

my ($path, $pid_file, @program) = @ARGV;
unlink $path;
umask 0117;
my $socket = IO::Socket::UNIX->new(Local => $path, Listen => 4096) or die "$path: $!\n";
my ($pid, $stopping) = (0, 0);
$SIG{TERM} = sub { $stopping = 1; kill TERM => $pid if $pid };
until ($stopping) {
    $pid = fork // die "fork: $!\n";
    if (!$pid) {
        $SIG{TERM} = 'DEFAULT';
        dup2(fileno $socket, 0);
        exec @program or die "$program[0]: $!\n";
    }
    open my $out, '>', "$pid_file.tmp" or die "$pid_file: $!\n";
    print $out "$pid\n";
    close $out;
    rename "$pid_file.tmp", $pid_file;
    1 while waitpid($pid, 0) < 0 && $! == EINTR;
}
