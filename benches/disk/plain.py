"""What the machine can do: sending a cached file to a socket, and receiving it by a
program that does nothing else. The same receiver also reads from NBD servers, so
that a server can be compared with the machine's limit and not with a client's."""

import os
import random
import socket
import struct
import time

BLOCK = 1 << 20
SMALL = 4096
DEPTH = 16
REPLY_BYTES = 16
REQUEST = struct.Struct(">IHHQQI")
REQUEST_MAGIC = 0x25609513
READ, WRITE, FLUSH = 0, 1, 3


def read(port, secs, size):
    """MB/s and bytes: 1 MiB reads in order, 16 at a time, on one connection."""
    with socket.create_connection(("127.0.0.1", port)) as server:
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        open_export(server)
        sent = iter(range(1 << 62))

        def ask():
            number = next(sent)
            return REQUEST.pack(REQUEST_MAGIC, 0, READ, number, number * BLOCK % (size - size % BLOCK), BLOCK)

        server.sendall(b"".join(ask() for _ in range(DEPTH)))
        room = bytearray(BLOCK)
        whole = BLOCK + REPLY_BYTES
        received = answered = 0
        start = time.monotonic()
        while time.monotonic() < start + secs:
            received += server.recv_into(room)
            ready = received // whole - answered
            if ready:
                server.sendall(b"".join(ask() for _ in range(ready)))
                answered += ready
        return received / 1e6 / (time.monotonic() - start), received


def flushed_writes(port, secs, size):
    """Writes a second and bytes: as a journal does it, 16 random 4 KiB writes at a time, a
    flush when they are answered, and on when that is answered. (fio's engine sends a second
    flush rather than the next write if the first is answered quickly.)"""
    with socket.create_connection(("127.0.0.1", port)) as server:
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        open_export(server)
        dice, data, written = random.Random(7), os.urandom(SMALL), 0
        start = time.monotonic()
        while time.monotonic() < start + secs:
            offsets = (dice.randrange(size // SMALL) * SMALL for _ in range(DEPTH))
            server.sendall(b"".join(REQUEST.pack(REQUEST_MAGIC, 0, WRITE, 0, offset, SMALL) + data for offset in offsets))
            # A server that still has Nagle's algorithm on waits for an acknowledgment.
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            exactly(server, DEPTH * REPLY_BYTES)
            server.sendall(REQUEST.pack(REQUEST_MAGIC, 0, FLUSH, 0, 0, 0))
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            exactly(server, REPLY_BYTES)
            written += DEPTH
        return written / (time.monotonic() - start), written * SMALL


def open_export(server):
    """Simple replies, by GO."""
    greeting = exactly(server, 18)
    assert greeting[:16] == b"NBDMAGICIHAVEOPT", greeting
    name = b"disk"
    data = struct.pack(">I", len(name)) + name + struct.pack(">H", 0)
    server.sendall(struct.pack(">I", 3) + b"IHAVEOPT" + struct.pack(">II", 7, len(data)) + data)
    while True:
        _, _, kind, length = struct.unpack(">QIII", exactly(server, 20))
        exactly(server, length)
        assert kind < 1 << 31, "GO was refused"
        if kind == 1:
            return


def exactly(sock, length):
    data = sock.recv(length, socket.MSG_WAITALL)
    assert len(data) == length, "hung up"
    return data


def limits(image, secs):
    """MB/s of a cached file through TCP on the loopback, by each way to send it."""
    return {name: one(image, secs, sender) for name, sender in SENDERS.items()}


def one(image, secs, sender):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        pid = os.fork()
        if pid == 0:
            send_for_ever(image, listener, sender)
        try:
            with socket.create_connection(listener.getsockname()) as source:
                room = bytearray(BLOCK)
                received = 0
                start = time.monotonic()
                while time.monotonic() < start + secs:
                    received += source.recv_into(room)
                rate = received / 1e6 / (time.monotonic() - start)
        finally:
            os.waitpid(pid, 0)
    return rate


def send_for_ever(image, listener, sender):
    """The child's whole life: until the receiver hangs up."""
    try:
        peer, _ = listener.accept()
        size = os.stat(image).st_size
        file = os.open(image, os.O_RDONLY)
        send = sender()
        offset = 0
        while True:
            send(file, peer.fileno(), offset)
            offset = (offset + BLOCK) % (size - size % BLOCK)
    finally:
        os._exit(0)


def by_sendfile():
    def send(file, peer, offset):
        end = offset + BLOCK
        while offset < end:
            offset += os.sendfile(peer, file, offset, end - offset)

    return send


def by_splice():
    import fcntl

    source, sink = os.pipe()
    fcntl.fcntl(sink, 1031, BLOCK)  # F_SETPIPE_SZ

    def send(file, peer, offset):
        end = offset + BLOCK
        while offset < end:
            filled = os.splice(file, sink, end - offset, offset_src=offset)
            offset += filled
            while filled:
                filled -= os.splice(source, peer, filled)

    return send


def by_copying():
    room = memoryview(bytearray(256 << 10))

    def send(file, peer, offset):
        for at in range(offset, offset + BLOCK, len(room)):
            os.preadv(file, [room], at)
            left = room
            while left:
                left = left[os.write(peer, left):]

    return send


SENDERS = {"sendfile": by_sendfile, "splice": by_splice, "pread+write": by_copying}
