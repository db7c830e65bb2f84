"""Disks that fill up and get room again, content that disappears, is cut short or changes while it
is seeded, and comes back: the log says so, nothing wrong is sent, nothing verified is lost."""
import os
import shutil
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from isolate import isolated, mount_tmpfs, resize_tmpfs

isolated()
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import contents
import node
import swarm
from clients import Libtorrent
from report import Report

report = Report()
MIB = 16
# Seconds. Files in place of which something is missing are looked at every 10 to 60 s; then libtorrent connects anew.
PATIENCE = 150
GONE = ("No such file", "changed", "cannot", "missing", "shorter", "are not what they were")


numbers = count(1)


def address():
    """One that no other case has."""
    number = next(numbers)
    return f"10.99.0.{number}:{6900 + number}"


def difference(target):
    return contents.difference_soon(content, os.path.join(os.fsencode(target), b"data"))


def full(kind, state_too):
    """The disk is full in the middle; what came is kept; with room again it goes on by itself."""
    name = f"{kind}: a full disk{' with the state on it' if state_too else ''}"
    top = tempfile.mkdtemp(dir=scratch)
    disk = os.path.join(top, "disk")
    mount_tmpfs(disk, 6 << 20)
    target = os.path.join(disk, "target")
    state = os.path.join(disk if state_too else top, "full-state")
    at = address()
    with node.seed(torrents[kind], os.path.join(top, "state"), at, "--data", source) as seed, \
            node.join(torrents[kind], target, state, address(), peers=[at]) as leech:
        report.check(f"{name}: the log says so",
                     leech.wait_for_log("No space left", "disk is full", "room", seconds=PATIENCE),
                     leech.said())
        time.sleep(3)
        report.check(f"{name}: the node stays", leech.is_alive(), leech.said())
        report.check(f"{name}: and does not flood the log", len(leech.errors) < 40,
                     f"{len(leech.errors)} lines")
        before = node.done(leech.fresh_status())
        fetched = node.downloaded(leech.status()) or 0
        report.check(f"{name}: nor fetches for nothing", fetched < total + (8 << 20), f"{fetched}")
        resize_tmpfs(disk, 64 << 20)
        done = node.finished(leech, PATIENCE)
        wrong = difference(target) if done else "not finished"
        report.check(f"{name}: goes on when there is room", wrong is None,
                     f"{wrong}; {leech.said()}")
        again = (node.downloaded(leech.fresh_status()) or 0) - fetched
        report.check(f"{name}: nothing verified was lost", again <= total - before + (1 << 20),
                     f"had {before}, fetched {again} more of {total}")
        report.check(f"{name}: ends when told to", leech.stop() in node.STOPPED, leech.said())
        report.check(f"{name}: the seed does not mind", seed.is_alive(), seed.said())
    os.system(f"umount -l {disk}")


class Seeding:
    """A seed in place of a copy that may be harmed, on a state of its own."""

    def __init__(self, kind):
        self.kind = kind
        self.top = tempfile.mkdtemp(dir=scratch)
        self.source = os.path.join(self.top, "copy")
        shutil.copytree(source, self.source)
        self.large = os.path.join(self.source, "data/large")
        self.target = os.path.join(self.top, "target")
        self.address = address()
        self.node = node.seed(torrents[kind], os.path.join(self.top, "state"), self.address,
                              "--data", self.source)
        node.is_whole(self.node)  # what changes while it is checked is another matter

    def leech(self, **more):
        """libtorrent: it says how many bytes that it got were wrong."""
        return Libtorrent("2.0.8", address(), self.target, torrent=torrents[self.kind],
                          peers=[self.address], plain=True, **more)

    def recovers(self, name, leech):
        failed = leech.status().get("failed")
        report.check(f"{name}: nothing wrong was sent", failed == 0, f"{failed} bytes")
        done = leech.finished(PATIENCE)
        wrong = difference(self.target) if done else "not finished"
        report.check(f"{name}: goes on when it is back", wrong is None,
                     f"{wrong}; {leech.said()}; {self.node.said()} {leech.status()}")
        failed = leech.status().get("failed")
        report.check(f"{name}: nothing wrong was sent in the end", failed == 0, f"{failed} bytes")
        report.check(f"{name}: the node stays", self.node.is_alive(), self.node.said())
        report.check(f"{name}: and does not flood the log", len(self.node.errors) < 40,
                     f"{len(self.node.errors)} lines")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.node.kill()
        shutil.rmtree(self.top, ignore_errors=True)


def in_the_middle(leech):
    deadline = time.monotonic() + PATIENCE
    while leech.status().get("done", 0) < 1 << 20 and time.monotonic() < deadline:
        time.sleep(0.1)


def disappears(kind):
    """The folder is moved away before anybody asks, and comes back. A node that has its files open
    may serve on; one that has not must say what is wrong."""
    with Seeding(kind) as seeding:
        name = f"{kind}: the folder disappears"
        away = seeding.source + ".away"
        os.rename(seeding.source, away)
        with seeding.leech(download_limit=4 << 20) as leech:
            finished = leech.finished(8)
            report.check(f"{name}: the log says so, or all is served",
                         finished or seeding.node.has_said(*GONE),
                         f"{seeding.node.said()} {leech.status()}")
            os.rename(away, seeding.source)
            seeding.recovers(name, leech)


def deleted(kind):
    """The folder is deleted for good; a copy is put in its place later, other inodes."""
    with Seeding(kind) as seeding:
        name = f"{kind}: the folder is deleted in the middle"
        with seeding.leech(download_limit=4 << 20) as leech:
            in_the_middle(leech)
            shutil.rmtree(os.path.join(seeding.source, "data"))
            time.sleep(2)
            report.check(f"{name}: the node stays", seeding.node.is_alive(), seeding.node.said())
            shutil.copytree(os.path.join(source, "data"), os.path.join(seeding.source, "data"))
            seeding.recovers(name, leech)


def cut_short(kind):
    with Seeding(kind) as seeding:
        name = f"{kind}: a file is cut short in the middle"
        with seeding.leech(download_limit=4 << 20) as leech:
            in_the_middle(leech)
            with open(seeding.large, "r+b") as file:
                file.truncate(0)
            report.check(f"{name}: the log says so", seeding.node.wait_for_log(*GONE, seconds=20),
                         f"{seeding.node.said()} {leech.status()}")
            shutil.copyfile(os.path.join(source, "data/large"), seeding.large)
            seeding.recovers(name, leech)


def changed(kind):
    """Bytes change under the seed before anybody asks for them, in each piece, and are put right."""
    with Seeding(kind) as seeding:
        name = f"{kind}: a file changes"
        time.sleep(1.1)  # so that its time is another one on any file system
        with open(seeding.large, "r+b") as file:
            for at in range(0, MIB << 20, 1 << 20):
                file.seek(at)
                file.write(b"changed")
        with seeding.leech() as leech:
            report.check(f"{name}: the log says so", seeding.node.wait_for_log(*GONE, seconds=20),
                         f"{seeding.node.said()} {leech.status()}")
            time.sleep(1.1)
            shutil.copyfile(os.path.join(source, "data/large"), seeding.large)
            seeding.recovers(name, leech)


def vanishes_at_the_start(kind):
    """The folder is moved away while the node begins to share it, known and new, and comes back."""
    name = f"{kind}: the folder vanishes at the start"
    top = tempfile.mkdtemp(dir=scratch)
    copy = os.path.join(top, "copy")
    shutil.copytree(source, copy)
    for attempt in range(4):
        what = torrents[kind] if attempt % 2 else copy
        more = ["--data", copy] if attempt % 2 else []
        with node.seed(what, os.path.join(top, "state"), address(), *more) as seed:
            report.check(f"{name}: it starts", node.listening(seed), seed.said())
            os.rename(copy, copy + ".away")
            time.sleep(1)
            report.check(f"{name}: the node stays", seed.is_alive(), seed.said())
            os.rename(copy + ".away", copy)
            whole = seed.wait("status", PATIENCE,
                              lambda each, since=seed.age(): each["seconds"] > since + 0.5
                              and each.get("finished"))
            report.check(f"{name}: it is shared when it is back", whole, seed.said())
    shutil.rmtree(top, ignore_errors=True)


with tempfile.TemporaryDirectory(prefix="swarm-disk-") as scratch:
    source = os.path.join(scratch, "source")
    content = contents.make(source, MIB)
    total = sum(os.path.getsize(each) for each in contents.files(content).values())
    torrents = {}
    for each in ("v2", "hybrid", "v1"):
        torrents[each] = os.path.join(scratch, each + ".torrent")
        swarm.create(content, torrents[each], each, 65536)
    # They wait most of the time.
    with ThreadPoolExecutor(5) as pool:
        cases = [pool.submit(*each) for each in (
            (deleted, "hybrid"), (vanishes_at_the_start, "v2"), (changed, "v2"), (changed, "v1"),
            (full, "v2", False), (cut_short, "v2"), (full, "hybrid", True), (full, "v1", False),
            (disappears, "v2"))]
        for each in cases:
            each.result()
report.finish()
