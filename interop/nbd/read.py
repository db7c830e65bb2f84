"""Files of a swarm as block devices: what nbdinfo, nbdcopy, qemu-img, qemu-io, fio and nbdsh read of
them, cold and warm, right and wrong."""
import os
import random
import socket
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from isolate import isolated

isolated()
import nbd
import node
import swarm
from report import Report

report = Report()
SEED, LEECH = "10.99.0.1:6901", "10.99.0.2:6902"
SIZE = 48 << 20
ALONE = ("--no-dht", "--no-lan", "--no-mapping")


def run(*words, seconds=60):
    return subprocess.run(words, capture_output=True, timeout=seconds)


def uri(path, name=""):
    return f"nbd+unix:///{name}?socket={path}"


def waits_for(path, seconds=30):
    end = time.monotonic() + seconds
    while not os.path.exists(path) and time.monotonic() < end:
        time.sleep(0.05)
    return os.path.exists(path)


class Device:
    """A swarm of two, of which one has nothing and offers the files."""

    def __init__(self, scratch, kind, *more):
        self.folder = tempfile.mkdtemp(dir=scratch)
        self.socket = os.path.join(self.folder, "nbd")
        torrent = os.path.join(self.folder, "data.torrent")
        swarm.run("create", source, "--output", torrent, "--format", kind, "--piece-length", "64K")
        self.seed = node.seed(torrent, os.path.join(self.folder, "seed"), SEED, *ALONE,
                              "--data", scratch)
        node.listening(self.seed)
        self.node = node.join(torrent, os.path.join(self.folder, "out"),
                              os.path.join(self.folder, "state"), LEECH, *ALONE, "--nbd",
                              self.socket, *more, peers=[SEED])
        waits_for(self.socket)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for each in (self.seed, self.node):
            each.__exit__()


def cold(scratch, kind):
    with Device(scratch, kind, "--sparse") as device:
        said = device.node.said
        shown = run("nbdinfo", "--list", uri(device.socket))
        report.check(f"{kind}: nbdinfo lists both files", shown.returncode == 0
                     and b"/disk.img" in shown.stdout and b"/sub/small" in shown.stdout, shown)
        client = nbd.NBD()
        client.add_meta_context("base:allocation")
        client.add_meta_context("x-swarm:present")
        client.connect_unix(device.socket)
        report.equal(f"{kind}: size of the largest", client.get_size(), SIZE)
        report.check(f"{kind}: read-only, several connections, cache, no fragments",
                     client.is_read_only() and client.can_multi_conn() and client.can_cache()
                     and client.can_df())
        runs = []
        client.block_status(SIZE, 0, lambda name, _, entries, __:
                            runs.append((name, list(entries))) or 0)
        report.check(f"{kind}: nothing is here",
                     ("x-swarm:present", [SIZE, 0]) in runs, repr(runs))
        chance = random.Random(7)
        wrong = 0
        for _ in range(40):
            start = chance.randrange(SIZE - 5000)
            length = chance.randrange(1, 5000)
            if chance.random() < 0.3:
                parts = []
                got = client.pread_structured(length, start, lambda *part: parts.append(part) and 0,
                                              nbd.CMD_FLAG_DF)
                wrong += len(parts) != 1
            else:
                got = client.pread(length, start)
            wrong += got != disk[start:start + length]
        report.equal(f"{kind}: random reads that are wrong", wrong, 0)
        done = node.done(device.node.fresh_status())
        report.check(f"{kind}: little is fetched", done < SIZE // 3, f"{done} bytes")
        # Many at once, over one connection.
        places = [chance.randrange(SIZE // 4096) * 4096 for _ in range(200)]
        buffers = [nbd.Buffer(4096) for _ in places]
        for place, buffer in zip(places, buffers):
            client.aio_pread(buffer, place)
        end = time.monotonic() + 60
        while client.aio_in_flight() and time.monotonic() < end:
            client.poll(1000)
        report.check(f"{kind}: 200 at once", not client.aio_in_flight() and all(
            buffer.to_bytearray() == disk[place:place + 4096]
            for place, buffer in zip(places, buffers)), said())
        client.cache(1 << 20, 8 << 20)
        negative(kind, client)
        client.shutdown()
        copied = run("nbdcopy", uri(device.socket), "-", seconds=120)
        report.check(f"{kind}: nbdcopy", copied.stdout == disk, f"{len(copied.stdout)} bytes")
        compared = run("qemu-img", "compare", "-f", "raw", "-F", "raw", uri(device.socket, "disk.img"),
                       os.path.join(source, "disk.img"))
        report.check(f"{kind}: qemu-img compare", compared.returncode == 0, compared)
        small = run("nbdcopy", uri(device.socket, "sub/small"), "-")
        report.check(f"{kind}: the small file, by its path", small.stdout == b"small\n", small)
        mapped = run("nbdinfo", "--map=x-swarm:present", uri(device.socket))
        report.check(f"{kind}: all is here", mapped.stdout.split() ==
                     [b"0", str(SIZE).encode(), b"1"], mapped)
        strangers(kind, device)


def negative(kind, client):
    """What a client must not do, told as the protocol has it."""
    client.set_strict_mode(0)
    for what, call, error in (
            ("beyond the end", lambda: client.pread(512, SIZE - 256), 22),
            ("far beyond", lambda: client.pread(512, 1 << 62), 22),
            ("a write", lambda: client.pwrite(b"x" * 512, 0), 1),
            ("a trim", lambda: client.trim(512, 0), 1),
            ("zeroes", lambda: client.zero(512, 0), 1),
            ("a flag it has not", lambda: client.pread(512, 0, 1 << 9), 22)):
        try:
            call()
            report.check(f"{kind}: {what} is refused", False)
        except nbd.Error as caught:
            report.equal(f"{kind}: {what}", caught.errnum, error)
    report.equal(f"{kind}: and it goes on", client.pread(512, 0), disk[:512])


def strangers(kind, device):
    """Garbage, silence, and clients that go in the middle."""
    def raw(*parts):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(5)
        client.connect(device.socket)
        for part in parts:
            try:
                client.sendall(part)
            except OSError:
                break
        return client

    option = b"IHAVEOPT" + struct.pack(">II", 1, 0)
    read = struct.pack(">IHHQQI", 0x25609513, 0, 0, 1, 0, 65536)
    for name, parts in (
            ("garbage at once", [os.urandom(4096)]),
            ("an endless option", [struct.pack(">I", 3), b"IHAVEOPT", struct.pack(">II", 3, 1 << 31)]),
            ("garbage instead of a request", [struct.pack(">I", 3), option, os.urandom(4096)])):
        client = raw(*parts)
        try:
            while client.recv(65536):
                pass
            ended = True
        except ConnectionError:
            ended = True
        except TimeoutError:
            ended = False
        report.check(f"{kind}: {name} ends the connection", ended)
        client.close()
    silent = [raw() for _ in range(50)]
    gone = [raw(struct.pack(">I", 3), option, read * 64) for _ in range(20)]
    for each in gone:
        each.close()
    again = run("nbdcopy", uri(device.socket, "sub/small"), "-")
    report.check(f"{kind}: others are served", again.stdout == b"small\n" and
                 device.node.is_alive(), again)
    for each in silent:
        each.close()


def warm(scratch):
    """Everything is here: fio verifies what it wrote nowhere, so it only reads; right bytes are
    nbdcopy's affair, many connections its own."""
    with Device(scratch, "v2") as device:
        report.check("warm: all arrives", node.finished(device.node), device.node.said())
        for depth in (1, 32):
            done = run("fio", "--name=x", "--ioengine=nbd", f"--uri={uri(device.socket)}",
                       "--rw=randread", "--bs=4k", f"--iodepth={depth}", "--io_size=16M",
                       "--size=48M")
            report.check(f"warm: fio at depth {depth}", done.returncode == 0, done)
        copied = run("nbdcopy", "--connections=8", uri(device.socket), "-")
        report.check("warm: nbdcopy over 8 connections", copied.stdout == disk)
        mode = os.stat(device.socket).st_mode & 0o777
        report.equal("warm: mode of the socket", oct(mode), "0o600")
        device.node.stop()
        report.check("warm: the socket is gone with the program", not os.path.exists(device.socket))


def faults(scratch):
    """Nobody has the bytes: an error in time; then somebody has, and the client goes on."""
    with Device(scratch, "v2", "--sparse", "--read-timeout", "4") as device:
        client = nbd.NBD()
        client.connect_unix(device.socket)
        report.equal("faults: a read", client.pread(512, 0), disk[:512])
        device.seed.kill()
        begun = time.monotonic()
        try:
            client.pread(512, 20 << 20)
            report.check("faults: without peers a read fails", False)
        except nbd.Error as caught:
            report.equal("faults: without peers", caught.errnum, 5)
        report.check("faults: in time", time.monotonic() - begun < 12)
        stalls = [each for each in device.node.events if each.get("event") == "status"
                  and each["reads"] and each["reads"]["stalled"]]
        report.check("faults: while it waits the status says for what", stalls and
                     stalls[-1]["reads"]["stalled"][0]["offset"] == 20 << 20
                     and stalls[-1]["reads"]["stalled"][0]["reason"] == "no peer is connected",
                     device.node.said())
        report.check("faults: the operator is told", device.node.wait_for_log("nobody had the bytes"),
                     device.node.said())
        report.equal("faults: what is here is read on", client.pread(512, 0), disk[:512])


with tempfile.TemporaryDirectory(prefix="swarm-nbd-") as scratch:
    source = os.path.join(scratch, "data")
    os.makedirs(os.path.join(source, "sub"))
    disk = random.Random(1).randbytes(SIZE)
    with open(os.path.join(source, "disk.img"), "wb") as file:
        file.write(disk)
    with open(os.path.join(source, "sub/small"), "wb") as file:
        file.write(b"small\n")
    for kind in ("v2", "hybrid", "v1"):
        cold(scratch, kind)
    warm(scratch)
    faults(scratch)
report.finish()
