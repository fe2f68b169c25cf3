# Generic netlink, as little of it as the laboratory needs.
package Generic;

use strict;
use warnings;
use Socket;

my ($NETLINK, $GENERIC, $REQUEST, $ACKNOWLEDGE, $ERROR) = (16, 16, 1, 4, 2);
my ($CONTROLLER, $GET_FAMILY, $FAMILY_ID, $FAMILY_NAME) = (16, 3, 1, 2);

# The nested kind of an attribute.
sub nested { return $_[0] | 0x8000 }

sub attribute {
    my ($kind, @values) = @_;
    my $value = join "", @values;
    return pack("SSa*x!4", 4 + length $value, $kind, $value);
}

# Speaks to the family with this name; loads its module if that is known by the name.
sub open {
    my ($class, $name) = @_;
    socket(my $socket, $NETLINK, SOCK_RAW, $GENERIC) or die "netlink: $!\n";
    my $self = bless { socket => $socket, family => $CONTROLLER }, $class;
    my $found = substr $self->ask($GET_FAMILY, attribute($FAMILY_NAME, "$name\0")), 20;
    while (length $found >= 4) {
        my ($length, $kind) = unpack("SS", $found);
        $self->{family} = unpack("x4S", $found) if $kind == $FAMILY_ID;
        $found = substr $found, ($length + 3) & ~3;
    }
    return $self;
}

# Sends a command and returns the last message before its acknowledgement.
sub ask {
    my ($self, $command, @attributes) = @_;
    my $body = pack("CCxx", $command, 1) . join "", @attributes;
    my $head = pack("LSSLL", 16 + length $body, $self->{family}, $REQUEST | $ACKNOWLEDGE, 1, 0);
    send($self->{socket}, $head . $body, 0) or die "netlink: $!\n";
    my $answer = "";
    while (1) {
        defined recv($self->{socket}, my $bytes, 65536, 0) or die "netlink: $!\n";
        my ($kind) = unpack("x4S", $bytes);
        if ($kind == $ERROR) {
            my $error = -unpack("x16l", $bytes);
            die "the kernel refuses $command: error $error\n" if $error;
            return $answer;
        }
        $answer = $bytes;
    }
}

1;
