#!/usr/bin/perl
# tree.pl - everything there is to know about the files of a folder, one line a path, sorted, so that diff compares two.
#
# usage: tree.pl DIR
#
# A line is: path, type, mode, owner, size, time in seconds, target or device, the first name of the same inode, sha256,
# extended attributes.  Bytes that are no printable ASCII, blanks and "%" are %XX.  Folders have no size, and what is
# larger than 1 GiB no sha256.
use strict;
use warnings;
use Digest::SHA;
use Fcntl ':mode';
use POSIX ();

my ($top) = @ARGV;
# perl itself has no calls for attributes; these are numbers of Linux
my ($LLISTXATTR, $LGETXATTR) = @{{x86_64 => [195, 192], aarch64 => [12, 9]}->{(POSIX::uname())[4]} or die "which calls?\n"};
(my %types) = (S_IFREG, 'file', S_IFDIR, 'dir', S_IFLNK, 'link', S_IFIFO, 'fifo', S_IFCHR, 'char', S_IFBLK, 'block', S_IFSOCK, 'sock');
my (%first, @rows);

sub plain { my ($s) = @_; $s =~ s/([^!-\$&-~])/sprintf '%%%02x', ord $1/ge; $s }

# paths may be longer than a system call takes: everything is done from inside its folder
sub xattrs {
    my ($name) = @_;
    my $list = "\0" x 65536;
    my $n = syscall $LLISTXATTR, $name, $list, length $list;
    my @all;
    return '-' if $n <= 0;
    for my $key (sort split /\0/, substr $list, 0, $n) {
        my $value = "\0" x 65536;
        my $len = syscall $LGETXATTR, $name, $key, $value, length $value;
        push @all, plain($key) . '=' . unpack 'H*', substr $value, 0, $len;
    }
    join ',', @all;
}

sub look {
    my ($path, $name) = @_;
    my @st = lstat $name or die "$path: $!\n";
    my $type = $types{S_IFMT($st[2])};
    my ($size, $more, $sum) = ($st[7], '-', '-');
    $size = '-' if $type ne 'file';
    $more = plain(readlink $name) if $type eq 'link';
    $more = sprintf '%d:%d', ($st[6] >> 8) & 0xfff, ($st[6] & 0xff) | ($st[6] >> 12) & 0xfff00 if $type eq 'char' || $type eq 'block';
    $sum = Digest::SHA->new(256)->addfile($name, 'b')->hexdigest if $type eq 'file' && $size <= 1 << 30;
    my $inode = $type ne 'dir' && $st[3] > 1 ? "$st[0]:$st[1]" : '';
    push @{$first{$inode}}, $path if $inode ne '';
    push @rows, [$path, $inode, join(' ', $type, sprintf('%05o', S_IMODE($st[2])), "$st[4]:$st[5]", $size, $st[9], $more),
        $sum . ' ' . xattrs($name)];
    walk($path, $name) if $type eq 'dir';
}

sub walk {
    my ($path, $name) = @_;
    chdir $name or die "$path: $!\n";
    opendir my $dir, '.' or die "$path: $!\n";
    my @names = grep { $_ ne '.' && $_ ne '..' } readdir $dir;
    closedir $dir;
    for my $child (@names) {
        look(($path eq '.' ? '' : "$path/") . plain($child), $child);
    }
    chdir '..' or die "$path: ..: $!\n";
}

chdir $top or die "$top: $!\n";
look('.', '.');
for (sort { $a->[0] cmp $b->[0] } @rows) {
    my $same = $_->[1] eq '' ? '-' : (sort @{$first{$_->[1]}})[0];
    print "$_->[0] $_->[2] $same $_->[3]\n";
}
