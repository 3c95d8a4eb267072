#!/usr/bin/perl
# Makes system calls as they are told on standard input, and prints how they end. Debian's perl-base,
# which every Debian has, is enough: no C library comes between these lines and the kernel.
#
# A line is a row of steps that are separated by " ; ", made in a process of its own in the current
# directory:
#
#   fd = openat CWD 'file' O_RDONLY ; pread64 fd [10] 10 0 ; text
#
# Arguments: 'text', also 'x'*256 and '\xff'; numbers and constants, joined by |, + or <<; results of earlier
# steps by their name; [10] is a buffer of so many bytes, {s q: 1 2} one that is packed as by Perl.
# What is printed is the result of the last step, the name of the errno, or the signal that ended
# the process. A step before the last one that fails ends the row, and is named.
use strict;
use warnings;
use Errno;
use Fcntl qw(:DEFAULT :seek :flock);
use POSIX ();

my $arm = (POSIX::uname())[4] eq 'aarch64';

# Numbers of x86-64 and of arm64, from the kernel's tables.
my %CALLS = (
    bind => [49, 200], close => [3, 57], copy_file_range => [326, 285], dup => [32, 23],
    epoll_create1 => [291, 20], epoll_ctl => [233, 21], execveat => [322, 281],
    faccessat => [269, 48], faccessat2 => [439, 439], fadvise64 => [221, 223],
    fallocate => [285, 47], fchdir => [81, 50], fchmod => [91, 52], fchmodat => [268, 53],
    fchown => [93, 55], fchownat => [260, 54], fcntl => [72, 25], fdatasync => [75, 83],
    fgetxattr => [193, 10], flistxattr => [196, 13], flock => [73, 32],
    fsetxattr => [190, 7], fstatfs => [138, 44], fsync => [74, 82], ftruncate => [77, 46],
    getdents64 => [217, 61], getxattr => [191, 8], inotify_add_watch => [254, 27],
    inotify_init1 => [294, 26], ioctl => [16, 29], linkat => [265, 37], listxattr => [194, 11],
    lseek => [8, 62], memfd_create => [319, 279], mkdirat => [258, 34], mknodat => [259, 33],
    mmap => [9, 222], mprotect => [10, 226], msync => [26, 227], munmap => [11, 215],
    name_to_handle_at => [303, 264], newfstatat => [262, 79], openat => [257, 56],
    openat2 => [437, 437], ppoll => [271, 73], pread64 => [17, 67], preadv2 => [327, 286],
    pselect6 => [270, 72], pwrite64 => [18, 68], read => [0, 63], readahead => [187, 213],
    readlinkat => [267, 78], removexattr => [197, 14], renameat2 => [316, 276],
    sendfile => [40, 71], setxattr => [188, 5], socket => [41, 198], splice => [275, 76],
    statfs => [137, 43], statx => [332, 291], symlinkat => [266, 36], syncfs => [306, 267],
    truncate => [76, 45], unlinkat => [263, 35], utimensat => [280, 88], write => [1, 64],
);

my %CONSTANTS = (
    CWD => -100, AT_SYMLINK_NOFOLLOW => 0x100, AT_REMOVEDIR => 0x200, AT_EACCESS => 0x200,
    AT_EMPTY_PATH => 0x1000, O_PATH => 010000000, O_TMPFILE => 020000000 | O_DIRECTORY,
    S_IFSOCK => 0140000, S_IFREG => 0100000, S_IFCHR => 0020000, S_IFIFO => 0010000,
    SEEK_DATA => 3, SEEK_HOLE => 4, F_OK => 0, X_OK => 1, W_OK => 2, R_OK => 4,
    PROT_READ => 1, PROT_WRITE => 2, PROT_EXEC => 4, MAP_SHARED => 1, MAP_PRIVATE => 2,
    MAP_SHARED_VALIDATE => 3, MAP_SYNC => 0x80000, MS_SYNC => 4,
    F_GETLK => 5, F_SETLK => 6, F_OFD_GETLK => 36, F_OFD_SETLK => 37, F_GET_SEALS => 1034,
    POLLIN => 1, RENAME_NOREPLACE => 1, RENAME_EXCHANGE => 2, RESOLVE_BENEATH => 8,
    RWF_NOWAIT => 8, FIONREAD => 0x541B, TCGETS => 0x5401, FS_IOC_GETFLAGS => 0x80086601,
    FS_IOC_SETFLAGS => 0x40086602, FICLONE => 0x40049409, EPOLL_CTL_ADD => 1, IN_MODIFY => 2,
);

sub constant {
    my ($name, $vars) = @_;
    return oct $name if $name =~ /^0/;
    return 0 + $name if $name =~ /^-?\d+$/;
    return $vars->{$name} if exists $vars->{$name};
    return $CONSTANTS{$name} if exists $CONSTANTS{$name};
    no strict 'refs';
    return &{"Fcntl::$name"}() if Fcntl->can($name);
    die "what is $name?\n";
}

sub number {
    my ($text, $vars) = @_;
    return number($1, $vars) << number($2, $vars) if $text =~ /^(.+)<<(.+)$/;
    return number($1, $vars) + number($2, $vars) if $text =~ /^(.+)\+(.+)$/;
    my $sum = 0;
    $sum |= constant($_, $vars) for split /\|/, $text;
    # As the kernel sees it: signed.
    return $text =~ /^-/ ? unpack('q', pack('Q', $sum)) : $sum;
}

# Read one argument off the front of a text; buffers are remembered as the last one.
sub argument {
    my ($text, $vars) = @_;
    for ($$text) {
        if (s/^'([^']*)'(?:\*(\d+))?\s*//) {
            my ($string, $times) = ($1, $2 // 1);
            $string =~ s/\\x(..)/chr hex $1/ge;
            return $string x $times;
        }
        return $vars->{' buffer'} = "\0" x $1 if s/^\[(\d+)\]\s*//;
        if (s/^\{([^:]*):([^}]*)\}\s*//) {
            my ($template, $rest) = ($1, $2);
            $rest =~ s/^\s+//;
            my @values;
            push @values, argument(\$rest, $vars) while $rest ne '';
            return $vars->{' buffer'} = pack $template, @values;
        }
        return number($1, $vars) if s/^(\S+)\s*//;
    }
}

sub failure {
    my ($errno) = ($! + 0);
    my ($name) = grep { Errno->can($_) && Errno->can($_)->() == $errno } sort keys %!;
    # One number, several names.
    $name = { EWOULDBLOCK => 'EAGAIN', ENOTSUP => 'EOPNOTSUPP' }->{$name // ''} // $name;
    return $name // "errno $errno";
}

sub kind { return { 4 => 'd', 8 => 'f' }->{$_[0]} // "?$_[0]" }

# Steps that are no system calls; each answers what is printed.
my %OTHERS = (
    # What the last buffer holds, as far as the last result says.
    text => sub { my ($v) = @_; substr $v->{' buffer'}, 0, $v->{' result'} },
    # Numbers in the last buffer.
    show => sub { my ($v, $template) = @_; join ' ', unpack $template, $v->{' buffer'} },
    # A bit of a 64-bit number in the last buffer.
    flag => sub { my ($v, $at, $bit) = @_; unpack("x$at Q", $v->{' buffer'}) & $bit },
    # Bytes of this process.
    peek => sub { my ($v, $at, $size) = @_; unpack "P$size", pack 'Q', $at },
    pipe => sub {
        my ($v) = @_;
        ($v->{r}, $v->{w}) = POSIX::pipe();
        return 'ok';
    },
    # The names in a directory from where it stands, read with buffers of so many bytes.
    names => sub {
        my ($v, $fd, $size) = @_;
        my @names;
        for (;;) {
            my $buffer = "\0" x $size;
            my $length = syscall $CALLS{getdents64}[$arm], $fd, $buffer, $size;
            return failure() if $length < 0;
            last if $length == 0;
            for (my $at = 0; $at < $length;) {
                my (undef, undef, $record, $type, $name) = unpack "x$at Q q S C Z*", $buffer;
                push @names, "$name/" . kind($type);
                $at += $record;
            }
        }
        return join ' ', sort @names;
    },
    # Every position that telldir gives leads back to the same names, in any order.
    seekdir => sub {
        my ($v, $path) = @_;
        opendir my $directory, $path or return failure();
        my (@positions, @names);
        for (;;) {
            my $position = telldir $directory;
            my $name = readdir $directory;
            last unless defined $name;
            push @positions, $position;
            push @names, $name;
        }
        for my $index (reverse 0 .. $#names) {
            seekdir $directory, $positions[$index];
            my $name = readdir $directory;
            return "at $index: $name, was $names[$index]" if ($name // '') ne $names[$index];
        }
        rewinddir $directory;
        my @again = readdir $directory;
        return "@again" eq "@names" ? scalar @names : "again: @again, was @names";
    },
);

sub step {
    my ($text, $vars) = @_;
    my $into = $text =~ s/^(\w+) = // ? $1 : undef;
    $text =~ s/^(\w+)\s*// or die "no call: $text\n";
    my $name = $1;
    my @arguments;
    push @arguments, argument(\$text, $vars) while $text ne '';
    if (my $other = $OTHERS{$name}) {
        return (1, $other->($vars, @arguments));
    }
    my $numbers = $CALLS{$name} or die "no such call: $name\n";
    # The buffer that was remembered must be the one that the kernel fills.
    my $buffer = -1;
    for my $index (0 .. $#arguments) {
        $buffer = $index if defined $vars->{' buffer'} && $arguments[$index] eq $vars->{' buffer'};
    }
    my $result = syscall $numbers->[$arm], @arguments;
    return (0, failure(), $name) if $result == -1;
    $vars->{' buffer'} = $arguments[$buffer] if $buffer >= 0;
    $vars->{' result'} = $result;
    $vars->{$into} = $result if defined $into;
    return (1, $result);
}

sub row {
    my ($line) = @_;
    my $vars = {};
    my @steps = split / ; /, $line;
    while (defined(my $text = shift @steps)) {
        my ($ok, $result, $name) = step($text, $vars);
        return $result unless @steps;
        return "$name: $result" unless $ok;
    }
}

$| = 1;
while (my $line = <STDIN>) {
    chomp $line;
    pipe my $from, my $to or die;
    my $child = fork // die;
    if ($child == 0) {
        close $from;
        # Nothing may hang.
        alarm 20;
        my $result = eval { row($line) } // "mistake: $@";
        $result =~ s/\n/ /g;
        print {$to} $result;
        close $to;
        POSIX::_exit(0);
    }
    close $to;
    my $result = do { local $/; <$from> };
    waitpid $child, 0;
    $result = 'signal ' . ($? & 127) if $? & 127;
    print "$result\n";
}
