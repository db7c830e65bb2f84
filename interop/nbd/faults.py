"""Block devices when things go wrong: peers that are gone, silent, slow, choke or lie, disks that are full,
slow or failing, clients that take nothing. Every read ends in right bytes or an error by its deadline, the
node lives, and its operator is told.

faults.py [CASE…]: all of them, or these, such as choking.
"""
import errno
import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from isolate import isolated, mount_tmpfs, resize_tmpfs

isolated()
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import nbd
import node
import swarm
from corrupt_peer import CorruptPeer
from hard_peer import ChokingPeer, Line
from report import Report

report = Report()
SIZE = 24 << 20
BLOCK = 16384
TIMEOUT = 4  # seconds: --read-timeout
# Beyond the deadline, on a machine that has other things to do.
SLACK = 4
ALONE = ("--no-dht", "--no-lan", "--no-mapping")
numbers = count(1)


def address():
    """One that no other case has."""
    number = next(numbers)
    return f"10.99.0.{number}", 6900 + number


def text(place):
    return "%s:%d" % place


class Reads:
    """Reads at once, over one connection: each is noted with how it ended, and when."""

    def __init__(self, path, places, length=4096):
        self.ends = {}
        self.client = nbd.NBD()
        self.client.connect_unix(path)
        self.begun = time.monotonic()
        for place in places:
            buffer = nbd.Buffer(length)
            self.client.aio_pread(buffer, place, completion=self._note(place, buffer, length))
        self.places = set(places)

    def _note(self, place, buffer, length):
        def ended(error):
            error = getattr(error, "value", error)
            right = error == 0 and buffer.to_bytearray() == disk[place:place + length]
            self.ends[place] = (error, right, time.monotonic() - self.begun)
            return 1
        return ended

    def wait(self, seconds=TIMEOUT + 20):
        deadline = time.monotonic() + seconds
        while len(self.ends) < len(self.places) and time.monotonic() < deadline:
            try:
                self.client.poll(200)
            except nbd.Error:
                break
        return self

    def keep_promise(self, name):
        """What every read must: right bytes or an error, in time."""
        missing = self.places - self.ends.keys()
        report.check(f"{name}: every read ends", not missing, f"{len(missing)} of {len(self.places)}")
        wrong = [place for place, (error, right, _) in self.ends.items() if not error and not right]
        report.check(f"{name}: no wrong bytes", not wrong, f"at {wrong[:4]}")
        odd = {error for error, _, _ in self.ends.values()} - {0, errno.EIO}
        report.check(f"{name}: no other errors", not odd, f"{odd}")
        latest = max((each[2] for each in self.ends.values()), default=0)
        report.check(f"{name}: in time", latest < TIMEOUT + SLACK, f"{latest:.1f} s")
        return self

    def right(self):
        return sum(right for _, right, _ in self.ends.values())

    def failed(self):
        return len(self.ends) - self.right()


class Device:
    """A sparse node that offers the image and knows the peers that are named."""

    def __init__(self, peers, *more, where=None, what=None):
        self.folder = tempfile.mkdtemp(dir=scratch)
        self.socket = os.path.join(self.folder, "nbd")
        self.address = address()
        where = where or self.folder
        self.node = node.join(what or torrent, os.path.join(where, "out"), os.path.join(where, "state"),
                              text(self.address), *ALONE, "--nbd", self.socket, "--sparse",
                              "--read-timeout", str(TIMEOUT), "--no-read-ahead", *more,
                              peers=[text(each) for each in peers])
        report.check("a node offers the image", self.node.wait("exported", 60), self.node.said())
        self.chance = random.Random(5)

    def places(self, number):
        """So many blocks, each asked for by its middle; none twice, in this device's whole life."""
        if not hasattr(self, "order"):
            self.order = list(range(SIZE // BLOCK))
            self.chance.shuffle(self.order)
        taken, self.order = self.order[:number], self.order[number:]
        return [block * BLOCK + 8192 for block in taken]

    def read(self, number, **keywords):
        return Reads(self.socket, self.places(number), **keywords)

    def goes_on(self, name, number=16, seconds=30):
        """Once the trouble is over, reads are right again, by and by."""
        deadline = time.monotonic() + seconds
        while True:
            reads = self.read(number).wait()
            if reads.right() == number or time.monotonic() > deadline:
                break
        reads.keep_promise(f"{name}, over")
        report.equal(f"{name}, over: reads that are right", reads.right(), number)

    def lives(self, name):
        report.check(f"{name}: the node lives", self.node.is_alive(), self.node.said())
        lines = [each for each in self.node.events if each["event"] not in ("status", "peer")]
        report.check(f"{name}: and does not flood the log", len(lines) + len(self.node.errors) < 120,
                     f"{len(lines)} lines, {lines[-1:]}")

    def tells(self, name, *reasons):
        """The operator has a line for what failed, and the status had it while it waited."""
        self.node.wait_for_log("nobody had the bytes in time", seconds=5)
        told = [line for line in [*self.node.errors, *(json.dumps(each) for each in self.node.events)]
                if "failed: nobody had the bytes in time" in line]
        report.check(f"{name}: the operator is told for what was waited",
                     any(reason in line for line in told for reason in reasons),
                     f"{told[-1:]}")
        shown = {each["reason"] for status in self.node.events
                 if status.get("event") == "status" and status.get("reads")
                 for each in status["reads"]["stalled"]}
        report.check(f"{name}: the status shows what waits", any(
            reason in one for one in shown for reason in reasons), f"{shown}")

    def resident(self):
        with open(f"/proc/{self.node.pid}/status", encoding="ascii") as file:
            line = next(each for each in file if each.startswith("RssAnon"))
        return int(line.split()[1]) << 10

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.node.__exit__()


def seed(at=None, what=None):
    at = at or address()
    started = node.seed(what or torrent, tempfile.mkdtemp(dir=scratch), text(at), *ALONE, "--data", scratch)
    started.address = at
    node.listening(started)
    return started


def gone():
    """All peers are killed while reads are under way; one comes back."""
    name = "all peers gone"
    first, second = seed(), seed()
    with first, second, Device([first.address, second.address]) as device:
        report.equal(f"{name}: before", device.read(8).wait().right(), 8)
        # So that there is something under way when they go.
        for each in (first, second):
            os.kill(each.pid, signal.SIGSTOP)
        reads = device.read(200)
        time.sleep(0.3)
        for each in (first, second):
            each.kill()
        reads.wait().keep_promise(name)
        report.equal(f"{name}: reads that failed", reads.failed(), 200)
        device.tells(name, "no peer is connected")
        with seed(first.address):
            device.goes_on(name)
        device.lives(name)


def silent():
    """All peers are stopped: their kernels acknowledge, they answer nothing."""
    name = "silent peers"
    with seed() as first, seed() as second, Device([first.address, second.address]) as device:
        report.equal(f"{name}: before", device.read(8).wait().right(), 8)
        for each in (first, second):
            os.kill(each.pid, signal.SIGSTOP)
        reads = device.read(100).wait().keep_promise(name)
        report.equal(f"{name}: reads that failed", reads.failed(), 100)
        device.tells(name, "asked", "no peer is connected", "no peer that has it lets us")
        for each in (first, second):
            os.kill(each.pid, signal.SIGCONT)
        device.goes_on(name)
        device.lives(name)


def trickle():
    """Two kilobytes a second: a block takes longer than a read may."""
    name = "a trickle"
    with seed() as there:
        line = Line(address(), there.address)
        with Device([line.server.getsockname()]) as device:
            report.equal(f"{name}: before", device.read(8).wait().right(), 8)
            line.rate = 2000
            reads = device.read(40).wait().keep_promise(name)
            report.check(f"{name}: reads fail", reads.failed() > 30, f"{reads.failed()} of 40")
            device.tells(name, "not answered", "about to be asked", "what proves it has not come")
            line.rate = 0
            device.read(10).wait().keep_promise(f"{name} that dries up")
            line.rate = None
            device.goes_on(name)
            device.lives(name)


def trickle_beside():
    """One trickles, the other does not: nobody waits for the slow one."""
    name = "one of two trickles"
    with seed() as slow, seed() as fast:
        line = Line(address(), slow.address)
        with Device([line.server.getsockname(), fast.address]) as device:
            report.equal(f"{name}: before", device.read(8).wait().right(), 8)
            line.rate = 2000
            reads = device.read(60).wait().keep_promise(name)
            report.equal(f"{name}: reads that are right", reads.right(), 60)
            device.lives(name)


def choking():
    """Who has it gives nothing, or only a few blocks."""
    for name, gives in (("choking from the start", 0), ("choking in the middle", 6)):
        peer = ChokingPeer(torrent, scratch, address(), gives=gives)
        later = address()
        with Device([peer.server.getsockname(), later]) as device:
            reads = device.read(24).wait().keep_promise(name)
            report.check(f"{name}: reads fail", reads.failed() >= 24 - gives, f"{reads.failed()}")
            device.tells(name, "lets us fetch it", "what proves it")
            with seed(later):
                device.goes_on(name)
            device.lives(name)


def lying():
    """A liar alone, then beside a seed."""
    name = "a liar alone"
    liar = CorruptPeer(torrent, scratch, address())
    with Device([liar.server.getsockname()]) as device:
        reads = device.read(40).wait().keep_promise(name)
        report.equal(f"{name}: reads that failed", reads.failed(), 40)
        banned = device.node.wait("peer", 5, lambda each: each["state"] == "banned")
        report.check(f"{name}: is banned", banned, device.node.said())
        device.tells(name, "no peer is connected")
        report.note(f"{name}: {liar.sent} wrong blocks came")
        device.lives(name)
    name = "a liar beside a seed"
    liar = CorruptPeer(torrent, scratch, address())
    with seed() as honest, Device([liar.server.getsockname(), honest.address]) as device:
        reads = device.read(100).wait().keep_promise(name)
        report.equal(f"{name}: reads that are right", reads.right(), 100)
        report.note(f"{name}: {liar.sent} wrong blocks came")
        device.lives(name)


def disk_full():
    """The disk has no room in the middle: who reads is served all the same, from memory."""
    name = "a full disk"
    place = tempfile.mkdtemp(dir=scratch)
    mount_tmpfs(place, 4 << 20)
    with seed() as there, Device([there.address], where=place) as device:
        reads = []
        for _ in range(6):
            reads.append(device.read(100).wait().keep_promise(name))
        right = sum(each.right() for each in reads)
        report.check(f"{name}: most reads are right", right > 500, f"{right} of 600")
        report.check(f"{name}: the operator is told",
                     device.node.wait_for_log("No space left", "disk is full", "room", seconds=10),
                     device.node.said())
        resize_tmpfs(place, 64 << 20)
        device.goes_on(name)
        device.lives(name)
        report.note(f"{name}: {right} of 600 reads were right")
    os.system(f"umount -l {place}")


class Injected:
    """Calls of a node that are slow or fail, for as long as the `with` lasts. strace ends it."""

    def __init__(self, target, calls, how):
        self.process = subprocess.Popen(
            ["strace", "-f", "-q", "-p", str(target.pid), "-e", f"trace={calls}", "-e",
             f"inject={calls}:{how}", "-o", "/dev/null"], stderr=subprocess.PIPE)
        # All threads are held by it.
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and self.process.poll() is None and not self._holds(target):
            time.sleep(0.02)
        self.works = self._holds(target)

    @staticmethod
    def _holds(target):
        for thread in os.listdir(f"/proc/{target.pid}/task"):
            with open(f"/proc/{target.pid}/task/{thread}/status", encoding="ascii") as file:
                if "TracerPid:\t0\n" in file.read():
                    return False
        return True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(20)


# Not preadv2: by that the loop asks for what is in memory, and does not wait.
READS, WRITES = "pread64,preadv", "pwrite64,pwritev,pwritev2"


def disk_slow():
    """Each write takes longer than a read may: reads of what is not here do not wait for it."""
    name = "a disk that is slow to write"
    with seed() as there, Device([there.address]) as device:
        report.equal(f"{name}: before", device.read(8).wait().right(), 8)
        with Injected(device.node, WRITES, "delay_enter=5000000") as slow:
            report.check(f"{name}: it is", slow.works)
            reads = device.read(60).wait().keep_promise(name)
            # Where they waited for threads that write, it would be four: one for each. Not all of
            # them, since a program that is traced takes its time, too.
            report.check(f"{name}: reads do not wait for it", reads.right() > 8,
                         f"{reads.right()} of 60")
        device.goes_on(name)
        device.lives(name)
    name = "a disk that hangs"
    with seed() as there, Device([there.address]) as device:
        places = device.places(40)
        report.equal(f"{name}: before", Reads(device.socket, places).wait().right(), 40)
        time.sleep(1)  # until it is on disk
        with Injected(device.node, READS + ",fdatasync,fsync," + WRITES, "delay_enter=15000000") as slow:
            report.check(f"{name}: it does", slow.works)
            drop_caches(device)
            Reads(device.socket, places).wait().keep_promise(name)
            device.read(20).wait().keep_promise(f"{name}, new blocks")
        device.goes_on(name)
        device.lives(name)


def drop_caches(device):
    """So that what is here is read from the disk."""
    for folder, _, names in os.walk(os.path.join(device.folder, "out")):
        for each in names:
            file = os.open(os.path.join(folder, each), os.O_RDONLY)
            os.fsync(file)
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(file)


def disk_failing():
    """What is here cannot be read any more."""
    name = "a disk that fails to read"
    with seed() as there, Device([there.address]) as device:
        places = device.places(40)
        report.equal(f"{name}: before", Reads(device.socket, places).wait().right(), 40)
        time.sleep(1)
        drop_caches(device)
        with Injected(device.node, READS + ",preadv2", "error=EIO") as bad:
            report.check(f"{name}: it does", bad.works)
            reads = Reads(device.socket, places).wait().keep_promise(name)
            report.note(f"{name}: {reads.right()} of 40 reads are right")
            device.read(20).wait().keep_promise(f"{name}, new blocks")
            report.check(f"{name}: the operator is told",
                         device.node.wait_for_log("Input/output error", seconds=5), device.node.said())
        device.goes_on(name)
        again = Reads(device.socket, places).wait()
        report.equal(f"{name}: what was here is read again", again.right(), 40)
        device.lives(name)


def large_pieces():
    """v1: nothing proves a block but its piece, which must come however large it is."""
    name = "v1, pieces of 4 MiB"
    made = os.path.join(scratch, "v1.torrent")
    swarm.create(source, made, "v1", "4M")
    with seed(what=made) as there, Device([there.address], what=made) as device:
        reads = device.read(6).wait(60).keep_promise(name)
        report.equal(f"{name}: reads that are right", reads.right(), 6)
        device.lives(name)


class Stuck:
    """A client that asks for hundreds of reads and takes nothing."""

    def __init__(self, path, number, length):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect(path)
        self.socket.sendall(struct.pack(">I", 3) + b"IHAVEOPT" + struct.pack(">II", 1, 0))
        self.socket.setblocking(False)
        requests = b"".join(
            struct.pack(">IHHQQI", 0x25609513, 0, 0, each, each * length % (SIZE - length), length)
            for each in range(number))
        try:
            self.taken = self.socket.send(requests)
        except BlockingIOError:
            self.taken = 0


def stuck():
    """Forty clients that ask for gigabytes and read nothing: what is here, and what is not."""
    name = "stuck clients"
    with seed() as there, Device([there.address]) as device:
        cold = [Stuck(device.socket, 500, 128 << 10) for _ in range(4)]
        device.read(20).wait().keep_promise(f"{name}, cold")
        Reads(device.socket, range(0, SIZE, 1 << 20), 1 << 20).wait(60)
        before, most = device.resident(), 0
        clients = cold + [Stuck(device.socket, 500, 128 << 10) for _ in range(36)]
        for _ in range(10):
            reads = device.read(20).wait().keep_promise(name)
            report.equal(f"{name}: another one is served", reads.right(), 20)
            most = max(most, device.resident())
        report.check(f"{name}: memory stays bounded", most < 256 << 20, f"{most >> 20} MiB")
        report.note(f"{name}: {before >> 20} MiB before, {most >> 20} MiB at most")
        for each in clients:
            each.socket.close()
        device.goes_on(name)
        device.lives(name)


with tempfile.TemporaryDirectory(prefix="swarm-nbd-faults-") as scratch:
    source = os.path.join(scratch, "data")
    os.makedirs(source)
    disk = random.Random(1).randbytes(SIZE)
    with open(os.path.join(source, "disk.img"), "wb") as file:
        file.write(disk)
    with open(os.path.join(source, "small"), "wb") as file:
        file.write(b"small\n")
    torrent = os.path.join(scratch, "data.torrent")
    swarm.create(source, torrent, "v2", "64K")
    cases = {each.__name__: each for each in (
        gone, silent, trickle, trickle_beside, choking, lying, disk_full, disk_slow, disk_failing,
        large_pieces, stuck)}
    # They wait most of the time.
    with ThreadPoolExecutor(3) as pool:
        for each in [pool.submit(cases[name]) for name in sys.argv[1:] or cases]:
            each.result()
report.finish()
