"""Each function that is a check uses the disk service with a foreign client.

usage: clients.py STIEFELCTL [CHECK ...]

Runs all checks, or those named, and says which failed and why.
"""

import contextlib
import errno
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import traceback

import nbd

SIZE = 64 << 20
LIMIT_SECS = 120
CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def run(*command):
    """The output of a program that has to succeed."""
    # nbdinfo describes the random content with words that may be no text.
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=LIMIT_SECS,
                          stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


class Served:
    """An image and its server."""

    def __init__(self, folder, port):
        self.image = f"{folder}/disk.img"
        self.folder = folder
        self.port = port

    def uri(self, export="disk"):
        return f"nbd://127.0.0.1:{self.port}/{export}"

    def content(self):
        with open(self.image, "rb") as image:
            return image.read()

    def handle(self, export="disk", **settings):
        handle = nbd.NBD()
        handle.set_export_name(export)
        for name, value in settings.items():
            getattr(handle, f"set_{name}")(value)
        handle.connect_tcp("127.0.0.1", str(self.port))
        return handle


@contextlib.contextmanager
def served(content=b"", *flags):
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/disk.img", "wb") as image:
            image.write(content)
            image.truncate(SIZE)
        server = subprocess.Popen(
            [STIEFELCTL, "serve", f"{folder}/disk.img", "--listen=127.0.0.1:0", "--json", *flags],
            stdout=subprocess.PIPE, text=True,
        )
        try:
            disk = Served(folder, json.loads(server.stdout.readline())["port"])
            yield disk
        finally:
            server.send_signal(signal.SIGINT)
            output, _ = server.communicate(timeout=LIMIT_SECS)
            assert server.returncode == 0, "the server failed"
        disk.summary = json.loads(output)


def noise(length, seed=1):
    return random.Random(seed).randbytes(length)


def fails(expected, function, *arguments):
    """Asserts that a call of libnbd fails with this error of the server."""
    try:
        function(*arguments)
    except nbd.Error as error:
        assert error.errnum == expected, f"{error.errno} instead of {errno.errorcode[expected]}"
        return
    raise AssertionError(f"succeeded instead of {errno.errorcode[expected]}")


@check
def nbdinfo_tells_what_the_disk_can_do():
    with served() as disk:
        (export,) = json.loads(run("nbdinfo", "--json", disk.uri()))["exports"]
        expected = {
            "export-size": SIZE, "is_rotational": False, "is_read_only": False,
            "can_cache": True, "can_df": True, "can_fast_zero": True, "can_flush": True, "can_fua": True,
            "can_multi_conn": True, "can_trim": True, "can_zero": True,
            "block_size_minimum": 512, "block_size_preferred": 4096, "block_size_maximum": 32 << 20,
        }
        assert export.items() >= expected.items(), export
        assert export["contexts"] == ["base:allocation"]
        listed = json.loads(run("nbdinfo", "--json", "--list", disk.uri("")))["exports"]
        assert [export["export-name"] for export in listed] == ["disk"]
        for slot in (0, 15):
            run("nbdinfo", "--size", disk.uri(f"disk/{slot}"))
    with served(b"", "--read-only") as disk:
        run("nbdinfo", "--is", "read-only", disk.uri())
        assert subprocess.run(["nbdinfo", "--can", "trim", disk.uri()]).returncode == 2


@check
def stiefelctl_sums_up_and_refuses():
    with served() as disk:
        handle = disk.handle()
        handle.pwrite(bytes(512), 0)
        handle.pread(1024, 0)
        handle.flush()
        taken = refusal(disk.image)
        assert "is in use" in taken, taken
    expected = {"sessions": 1, "requests": 3, "errors": 0, "read_bytes": 1024, "written_bytes": 512, "flushes": 1}
    assert disk.summary.items() >= expected.items(), disk.summary
    assert "--insecure" in refusal("/dev/null", "--listen=0.0.0.0:0")
    assert "neither a disk nor an image" in refusal("/dev/null")
    assert "No such file" in refusal("/nowhere")


def refusal(*arguments):
    """What is said when serving is refused."""
    command = [STIEFELCTL, "serve", *arguments]
    # nbdinfo describes the random content with words that may be no text.
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=LIMIT_SECS,
                          stdin=subprocess.DEVNULL)
    assert done.returncode == 1, done
    return done.stderr


@check
def nbdcopy_in_and_out_with_four_connections():
    content = noise(20 << 20) + bytes(10 << 20) + noise(SIZE - (30 << 20), 2)
    with served() as disk:
        source, back = f"{disk.folder}/source", f"{disk.folder}/back"
        with open(source, "wb") as file:
            file.write(content)
        for size in ("65536", "262144", str(32 << 20)):
            run("nbdcopy", "--connections=4", f"--request-size={size}", "--flush", source, disk.uri())
            assert disk.content() == content
            run("nbdcopy", "--connections=4", f"--request-size={size}", disk.uri(), back)
            run("cmp", source, back)
        run("nbdcopy", "--synchronous", disk.uri(), back)
        run("cmp", source, back)


@check
def nbdcopy_from_one_server_to_another():
    content = noise(16 << 20)
    with served(content) as one, served() as two:
        run("nbdcopy", "--connections=4", one.uri(), two.uri())
        assert two.content() == one.content()
        extents = json.loads(run("nbdinfo", "--json", "--map", two.uri()))
        assert [(extent["offset"], extent["type"]) for extent in extents] == [(0, 0), (16 << 20, 3)], extents


@check
def libnbd_every_command_and_flag():
    for structured in (True, False):
        with served(noise(1 << 20)) as disk:
            handle = disk.handle(request_structured_replies=structured)
            assert handle.get_structured_replies_negotiated() == structured
            assert handle.pread(4096, 512) == noise(1 << 20)[512:4608]
            assert handle.pread(1 << 20, 0) == noise(1 << 20)
            assert handle.can_df() == structured
            if structured:
                pieces = []
                take = lambda data, offset, status, error: pieces.append((offset, bytes(data), status))
                handle.pread_structured(1 << 20, 0, take, nbd.CMD_FLAG_DF)
                assert pieces == [(0, noise(1 << 20), nbd.READ_DATA)]
            handle.pwrite(b"a" * 512, 0)
            handle.pwrite(b"b" * 512, 512, nbd.CMD_FLAG_FUA)
            handle.pwrite(b"c" * (1 << 20), 1 << 20, nbd.CMD_FLAG_FUA)
            handle.flush()
            assert disk.content()[:1024] == b"a" * 512 + b"b" * 512
            handle.trim(4096, 4096)
            handle.trim(4096, 8192, nbd.CMD_FLAG_FUA)
            for flags in (0, nbd.CMD_FLAG_FUA, nbd.CMD_FLAG_NO_HOLE, nbd.CMD_FLAG_FAST_ZERO,
                          nbd.CMD_FLAG_NO_HOLE | nbd.CMD_FLAG_FUA):
                handle.pwrite(b"d" * 4096, 1 << 20)
                handle.zero(4096, 1 << 20, flags)
                assert handle.pread(8192, 1 << 20) == bytes(4096) + b"c" * 4096, flags
            handle.cache(SIZE, 0)
            handle.shutdown()


@check
def libnbd_tells_extents():
    with served(noise(1 << 20)) as disk:
        handle = nbd.NBD()
        handle.add_meta_context(nbd.CONTEXT_BASE_ALLOCATION)
        handle.set_export_name("disk/2")
        handle.connect_tcp("127.0.0.1", str(disk.port))
        assert handle.can_meta_context(nbd.CONTEXT_BASE_ALLOCATION)

        def extents(length, offset, flags=0):
            found = []
            handle.block_status(length, offset, lambda name, at, entries, error: found.extend(entries), flags)
            return found

        assert extents(SIZE, 0) == [1 << 20, 0, SIZE - (1 << 20), 3]
        assert extents(SIZE, 0, nbd.CMD_FLAG_REQ_ONE) == [1 << 20, 0]
        assert extents(512, 2 << 20) == [512, 3]


@check
def libnbd_negotiates_in_small_steps():
    with served() as disk:
        handle = disk.handle(opt_mode=True)
        names = []
        handle.opt_list(lambda name, description: names.append(name))
        assert names == ["disk"]
        contexts = []
        handle.opt_list_meta_context(lambda name: contexts.append(name))
        assert contexts == ["base:allocation"]
        handle.set_export_name("nothing")
        fails(errno.ENOENT, handle.opt_info)
        fails(errno.ENOENT, handle.opt_go)
        handle.set_export_name("disk/1")
        handle.opt_info()
        assert handle.get_size() == SIZE
        handle.opt_go()
        assert len(handle.pread(512, 0)) == 512
        handle = disk.handle(opt_mode=True)
        handle.opt_abort()
        # An old client: no flags, and so EXPORT_NAME.
        handle = disk.handle(handshake_flags=0, request_structured_replies=False)
        assert handle.get_size() == SIZE
        assert handle.pread(512, 0) == bytes(512)


@check
def libnbd_wrong_requests_get_errors_in_step():
    with served(noise(1 << 20)) as disk:
        handle = disk.handle(strict_mode=0)
        fails(errno.EINVAL, handle.pread, 512, SIZE)
        fails(errno.EINVAL, handle.pread, 512, 1)
        fails(errno.EINVAL, handle.pread, 100, 0)
        fails(errno.ENOSPC, handle.pwrite, bytes(512), SIZE)
        fails(errno.EINVAL, handle.pwrite, bytes(100), 0)
        fails(errno.EINVAL, handle.trim, 512, SIZE)
        fails(errno.ENOSPC, handle.zero, 512, SIZE)
        fails(errno.EINVAL, handle.cache, 512, SIZE)
        fails(errno.EINVAL, handle.pread, 512, 0, nbd.CMD_FLAG_REQ_ONE)
        assert handle.pread(1 << 20, 0) == noise(1 << 20)
    with served(b"", "--read-only") as disk:
        handle = disk.handle(strict_mode=0)
        fails(errno.EPERM, handle.pwrite, bytes(512), 0)
        fails(errno.EPERM, handle.trim, 512, 0)
        fails(errno.EPERM, handle.zero, 512, 0)
        handle.flush()
        assert handle.pread(512, 0) == bytes(512)


@check
def libnbd_a_slot_has_one_session():
    with served() as disk:
        old = disk.handle("disk/0")
        other = disk.handle("disk/1")
        old.pwrite(b"a" * 512, 0)
        new = disk.handle("disk/0")
        assert new.pread(512, 0) == b"a" * 512
        try:
            old.pwrite(b"b" * 512, 0)
        except nbd.Error:
            pass
        else:
            raise AssertionError("the old session still writes")
        new.pwrite(b"c" * 512, 0)
        assert other.pread(512, 0) == b"c" * 512


@check
def libnbd_many_requests_at_once():
    with served(noise(SIZE)) as disk:
        handle = disk.handle()
        dice = random.Random(4)
        expected = noise(SIZE)
        waiting = {}
        for _ in range(500):
            length = 512 * dice.choice((1, 8, 9, 127, 128, 129, 2048, 5000))
            offset = 512 * dice.randrange((SIZE - length) // 512)
            buffer = nbd.Buffer(length)
            waiting[handle.aio_pread(buffer, offset)] = (buffer, offset, length)
        while waiting:
            handle.poll(-1)
            for cookie in [cookie for cookie in waiting if handle.aio_command_completed(cookie)]:
                buffer, offset, length = waiting.pop(cookie)
                assert buffer.to_bytearray() == expected[offset:offset + length]


@check
def qemu_img_converts_and_compares():
    with served() as disk:
        source, back = f"{disk.folder}/source.qcow2", f"{disk.folder}/back.raw"
        with open(f"{disk.folder}/raw", "wb") as file:
            file.write(noise(30 << 20))
            file.truncate(SIZE)
        run("qemu-img", "convert", "-O", "qcow2", f"{disk.folder}/raw", source)
        run("qemu-img", "convert", "-n", "-W", "-m", "16", "-O", "raw", source, disk.uri())
        run("qemu-img", "compare", "-F", "raw", source, disk.uri())
        run("qemu-img", "convert", "-m", "16", "-W", "-f", "raw", "-O", "raw", disk.uri(), back)
        run("cmp", f"{disk.folder}/raw", back)
        run("qemu-img", "map", "-f", "raw", disk.uri())


@check
def qemu_io_patterns():
    commands = """write -P 0x11 0 1M|write -P 0x22 512 512|write -f -P 0x33 64k 64k|flush
        read -P 0x11 0 512|read -P 0x22 512 512|read -P 0x33 64k 64k
        write -z 128k 64k|read -P 0 128k 64k|write -z -u 256k 64k|read -P 0 256k 64k
        discard 512k 64k|aio_write -P 0x44 1M 4M|aio_flush|read -P 0x44 1M 4M|flush"""
    words = [word for line in commands.splitlines() for command in line.split("|") for word in ("-c", command.strip())]
    with served() as disk:
        output = run("qemu-io", "-f", "raw", *words, disk.uri())
        assert "failed" not in output.lower() and "error" not in output.lower(), output
        assert disk.content()[512:1024] == b"\x22" * 512


@check
def nbd_client_lists():
    with served() as disk:
        assert "disk" in run("/usr/sbin/nbd-client", "-l", "127.0.0.1", str(disk.port)).split()


@check
def fio_verifies_what_it_wrote():
    with served() as disk:
        run(
            "fio", "--ioengine=nbd", f"--uri={disk.uri()}", f"--aux-path={disk.folder}",
            "--rw=randwrite", "--bsrange=4k-256k", "--iodepth=32", "--fsync=50", "--randseed=7",
            "--verify=crc32c", "--do_verify=1", "--verify_fatal=1", "--group_reporting",
            "--numjobs=4", "--offset_increment=16m", "--size=16m", "--thread", "--name=verify",
        )


def main():
    names = sys.argv[2:]
    failed = []
    for function in CHECKS:
        if names and function.__name__ not in names:
            continue
        try:
            function()
            print(f"passed  {function.__name__}", flush=True)
        except Exception:
            failed.append(function.__name__)
            print(f"FAILED  {function.__name__}\n{traceback.format_exc()}", flush=True)
    return f"failed: {', '.join(failed)}" if failed else 0


if __name__ == "__main__":
    STIEFELCTL = os.path.abspath(sys.argv[1])
    sys.exit(main())
