"""We download from, and seed to, a client of the first BitTorrent: v1 and, where it takes them at
all, hybrid; they connecting (a tracker tells them of us) and we."""
import os
import shutil
import tempfile
import time

import contents
import node
import swarm
from bencode import decode
from report import Report
from tracker import Tracker

MIB = 8
OURS, THEIRS = "10.99.0.1:6901", "10.99.0.2:6902"
TRACKER = ("10.99.0.9", 6900)
PATIENCE = 30  # seconds


class BothWays:
    def __init__(self, client, kinds=("v1", "hybrid"), patience=PATIENCE):
        self.client = client
        self.kinds = kinds
        self.patience = patience
        self.report = Report()
        self.tracker = Tracker(*TRACKER)

    def run(self):
        with tempfile.TemporaryDirectory(prefix="swarm-v1-client-") as scratch:
            self.scratch = scratch
            self.source = os.path.join(scratch, "source")
            self.content = contents.make(self.source, MIB)
            for self.kind in self.kinds:
                self.torrent = os.path.join(scratch, self.kind + ".torrent")
                swarm.create(self.content, self.torrent, self.kind, "auto",
                             "--tracker", self.tracker.url)
                self.download()
                self.upload(they_connect=True)
                self.upload(they_connect=False)
        self.report.finish()

    def clean(self):
        for name in ("target", "state"):
            shutil.rmtree(os.path.join(self.scratch, name), ignore_errors=True)
        self.target = os.path.join(self.scratch, "target")
        self.state = os.path.join(self.scratch, "state")
        os.mkdir(self.target)

    def download(self):
        """Ours from theirs. The other's folder is a copy, since clients of v1 write padding."""
        self.clean()
        self.tracker.peers = []
        copy = os.path.join(self.scratch, "copy")
        shutil.copytree(self.source, copy)
        write_padding(self.torrent, copy)
        with self.client(self.torrent, copy, THEIRS, seeding=True) as seed, \
                node.join(self.torrent, self.target, self.state, OURS, "--once",
                          peers=[THEIRS]) as leech:
            self.check(f"{self.kind}: from it", leech, seed, node.finished(leech, self.patience),
                       False)
        shutil.rmtree(copy)

    def upload(self, they_connect):
        self.clean()
        self.tracker.peers = [OURS] if they_connect else []
        more = [] if they_connect else ["--peer", THEIRS]
        with node.seed(self.torrent, self.state, OURS, "--data", self.source, *more) as seed:
            node.listening(seed)
            with self.client(self.torrent, self.target, THEIRS) as leech:
                self.check(f"{self.kind}: to it, {'it connects' if they_connect else 'we connect'}",
                           leech, seed, leech.finished(self.patience), True)

    def check(self, name, leech, seed, done, others_leavings):
        started = time.monotonic()
        wrong = contents.difference_soon(
            self.content, os.path.join(os.fsencode(self.target), b"data"), others_leavings
        ) if done else "not finished"
        self.report.check(name, wrong is None,
                          f"{wrong}; leech: {leech.said()}; seed: {seed.said()}")
        age = leech.age() if isinstance(leech, node.Node) else time.monotonic() - leech.started_at
        self.report.note(f"{name}: {age - (time.monotonic() - started):.1f} s")


def write_padding(torrent, folder):
    """The padding of a hybrid as files, which clients that do not know BEP 47 want on disk."""
    with open(torrent, "rb") as file:
        info = decode(file.read())[b"info"]
    for each in info[b"files"]:
        if b"p" in each.get(b"attr", b""):
            path = os.path.join(os.fsencode(folder), info[b"name"], *each[b"path"])
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.truncate(each[b"length"])
