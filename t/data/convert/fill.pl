#!/usr/bin/perl
# fill.pl first|second|third|many|fewer|sparse - what the layers of Dockerfile do; all of it below /x
use strict;
use warnings;
use Fcntl;

my $top = '/x';
sub dir { my ($d) = @_; my $p = ''; for (split m{/}, $d) { $p .= "$_/"; mkdir $p } }
sub file {
    my ($path, $data, $mode) = @_;
    open my $f, '>', $path or die "$path: $!";
    print $f $data // '' or die "$path: $!";
    close $f or die "$path: $!";
    chmod $mode, $path if defined $mode;
}
sub run { system(@_) == 0 or die "@_: $?" }
# bytes that do not compress, the same each time
sub noise { my ($n, $x, $s) = ($_[0], 12345, ''); while (length $s < $n) { $x = ($x * 1103515245 + 12345) & 0x7fffffff; $s .= pack 'n', $x >> 8 } substr $s, 0, $n }

sub first {
    my ($name, $n);
    dir("$top/$_") for qw(modes owners times names links special data later);

    for my $mode (0000, 0400, 0644, 0755, 01644, 02755, 04755, 06755, 07777) {
        file(sprintf('%s/modes/file-%05o', $top, $mode), 'x', $mode);
        next if $mode == 0644;
        mkdir $name = sprintf '%s/modes/dir-%05o', $top, $mode;
        file("$name/inside");
        chmod $mode, $name;
    }
    file("$top/modes/capable", 'x', 0755);
    run('/cic/setcap', 'cap_net_raw,cap_sys_nice+ep', "$top/modes/capable");

    for my $id (0, 1, 1000, 65534, 65535, 65536, 2097151, 2097152, 4294967294) {
        file("$top/owners/$id");
        chown $id, 4294967294 - $id, "$top/owners/$id" or die "chown $id: $!";
        symlink 'target', "$top/owners/link-$id";
        run('chown', '-h', "$id:1", "$top/owners/link-$id");
    }
    # 85 billion seconds are more than the 33 bits of a tar header, and 2^31 more than a signed 32 bit number
    for my $time (0, 1, 86400 * 365 * 15, 1234567890, 2147483647, 2147483648, 4294967295) {
        file("$top/times/file-$time");
        symlink 'target', "$top/times/link-$time";
        mkdir "$top/times/dir-$time";
        run('touch', '-h', '-d', "\@$time.7", map { "$top/times/$_-$time" } qw(file link dir));
    }
    file("$top/times/before-1970");
    run('touch', '-d', '@-86400', "$top/times/before-1970");

    for my $bytes (99, 100, 101, 155, 156, 200, 255) { file("$top/names/" . 'n' x $bytes, $bytes) }
    # built from within, as the whole path is too long for one system call in the end
    chdir "$top/names" or die;
    for my $depth (1 .. 18) {
        mkdir $name = "$depth-" . 'd' x 200 or die;
        chdir $name or die;
        file("file-$depth", $depth);
    }
    chdir '/';
    for ("new\nline", "\n", 'back\\slash', '\\n', '\\', '"double"', "'single'", 'a b', ' ', "\t", '-rf', '*', '$HOME', '`id`',
        "\x01\x1b[31m\x7f", '%s%n', '.wh', '..wh.', '...', '#', ';', '&', '=', "latin-\xe9", "\xff\xfe", "\xc3\xa9-composed",
        "e\xcc\x81-decomposed", "\xed\xa0\x80-surrogate", "\xf0\x9f\x98\x80", "\xc0\xaf-overlong", "long-\xe9-" . 'n' x 200,
        "long-\xc3\xa9-" . 'n' x 200) {
        file("$top/names/$_", $_);
        mkdir "$top/names/dir $_" or die;
        file("$top/names/dir $_/x");
    }

    $n = 0;
    for ('/', '.', '..', '/etc/passwd', '../links/one', '../../../../../../etc', './/a///b/', 'nowhere', "$top/links/self", "new\nline",
        "latin-\xe9", "\xc3\xa9", ' ', map { 't' x $_ } 99, 100, 101, 255, 256, 4095) {
        symlink $_, sprintf('%s/links/sym-%02d', $top, $n++) or die;
    }
    symlink '../' x 50 . 'end', "$top/links/sym-up";
    symlink "/" . 'abs/' x 50 . 'end', "$top/links/sym-abs";
    symlink 'self', "$top/links/self";
    dir("$top/links/$_") for qw(a z);
    file("$top/links/one", 'linked');
    file("$top/links/z/first-by-time", 'linked too');
    for ([qw(one a/one)], [qw(one z/one)], [qw(z/first-by-time a/second)], ['sym-03', 'a/sym-03-again']) {
        run('ln', '-P', "$top/links/$_->[0]", "$top/links/$_->[1]");
    }
    link "$top/links/one", "$top/links/" . 'l' x 200 or die;
    file("$top/links/many", 'many');
    link "$top/links/many", "$top/links/a/many-$_" or die for 1 .. 1000;
    file("$top/links/latin-\xe9", 'bytes');
    link "$top/links/latin-\xe9", "$top/links/latin-\xe9-\xff" or die;
    file("$top/links/$_", $_) for qw(across-1 across-2 across-3 pair-1 pair-3 pair-5);
    link "$top/links/pair-$_", "$top/links/pair-" . ($_ + 1) or die for 1, 3, 5;

    run('mkfifo', '-m', '0622', "$top/special/fifo");
    run('mknod', "$top/special/char", 'c', 1, 3);
    run('mknod', "$top/special/block", 'b', 7, 300);
    run('mknod', "$top/special/large", 'c', 4095, 1048575);
    run('chmod', '04666', "$top/special/char");
    run('chown', '70000:6', "$top/special/block");
    link "$top/special/fifo", "$top/special/fifo-again" or die;
    link "$top/special/char", "$top/special/char-again" or die;

    file("$top/data/" . length, $_) for '', 'x', 'y' x 131071, 'y' x 131072, 'y' x 131073, noise(131072 * 2 + 7), noise(3000000);
    file("$top/data/same-$_", noise(400000)) for 1 .. 3;
    file("$top/data/zeros", "\0" x 1000000);
    file("$top/data/zeros-at-the-end", 'x' x 131072 . "\0" x 131072);

    dir("$top/later/$_/sub/deeper") for qw(deleted replaced emptied kept opaque to-file to-link);
    file("$top/later/$_/sub/$_", $_) for qw(deleted replaced emptied kept opaque to-file to-link);
    file("$top/later/$_", 'first') for qw(file-deleted file-changed file-chmod file-to-dir file-to-link file-again);
    symlink 'kept', "$top/later/link-to-dir";
    chmod 0750, "$top/later/kept/sub";
}

sub second {
    run('rm', '-rf', map { "$top/later/$_" } qw(deleted replaced emptied to-file to-link file-deleted file-to-dir file-to-link
        link-to-dir file-again kept/sub/deeper));
    dir("$top/later/$_") for qw(replaced emptied file-to-dir link-to-dir);
    file("$top/later/replaced/other", 'other');
    dir("$top/later/replaced/sub");
    file("$top/later/replaced/sub/new", 'new');
    file("$top/later/to-file", 'a file now');
    file("$top/later/file-to-dir/inside", 'a folder now');
    symlink 'kept', "$top/later/$_" or die for qw(to-link file-to-link);
    file("$top/later/link-to-dir/inside", 'a folder now');
    file("$top/later/file-changed", 'second');
    file("$top/later/file-again", 'second');
    chmod 04711, "$top/later/file-chmod";
    chown 12, 34, "$top/later/kept";
    link "$top/links/across-$_", "$top/links/across-$_-again" or die for 1, 2, 3;
    run('rm', "$top/links/across-2");
    file("$top/links/across-3", 'changed through one name');
    run('rm', "$top/links/pair-1");
    chmod 0600, "$top/links/pair-3";
    run('mv', "$top/links/pair-5", "$top/links/pair-moved");
}

# nothing but the names of what is in the layers below
sub third {
    link "$top/links/one", "$top/links/one-in-another-layer" or die;
    run('rm', '-rf', "$top/later/opaque");
    dir("$top/later/opaque");
    file("$top/later/opaque/third", 'third');
    run('touch', '-d', '@1234567890', "$top/later", '/usr');
}

sub many {
    dir("$top/small");
    dir("$top/wide");
    for my $i (0 .. 101) {
        mkdir "$top/small/$i";
        file("$top/small/$i/$_", $_ % 3 == 0 ? "$i/$_\n" x ($_ / 10) : $_) for 0 .. 999;
    }
    file("$top/wide/" . $_ * 7919 % 50000 . 'w' x ($_ % 50)) for 0 .. 49999;
}

sub fewer {
    run('rm', '-r', "$top/small/7", "$top/wide/0", '/cic');
    unlink "$top/small/8/$_" for 0 .. 998;
}

sub sparse {
    dir($top);
    sysopen my $f, "$top/sparse", O_RDWR | O_CREAT or die;
    truncate $f, 4500 << 20 or die;
    for ([0, 'begin'], [2147483646, 'around 2 GiB'], [4294967290, 'around 4 GiB'], [(4500 << 20) - 3, 'end']) {
        sysseek $f, $_->[0], 0 or die;
        syswrite $f, $_->[1];
    }
}

{ no strict 'refs'; &{$ARGV[0]}() }
