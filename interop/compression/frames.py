"""Blocks that travel compressed (docs/compression.md), on hosts that are network namespaces with a line of 50
Mbit/s: what the kernel counts for text, for random bytes, and with --no-compression; libtorrent and aria2, which
get blocks as they are; and a peer written by hand from the document, which fetches frames and gives some,
right and wrong.
"""
import os
import random
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from isolate import isolated

isolated()
import clients
import contents
import frame_peer
import lan
import node
import swarm
import trees
from report import Report

MIB = 1 << 20
PATIENCE = 60
ALONE = ("--no-dht", "--no-lan", "--no-mapping")
NOTE = b"a note"
HERE_ADDRESS = "10.77.0.254"  # this script's own, on the bridge

report = Report()


def text(byte_count, seed):
    """Words at random, which compress to a third or less."""
    chosen = random.Random(seed)
    words = ["".join(chosen.choices("etaoinshrdlu", k=chosen.randint(2, 9))) for _ in range(2000)]
    lines = []
    size = 0
    while size < byte_count:
        lines.append(" ".join(chosen.choices(words, k=12)))
        size += len(lines[-1]) + 1
    return "\n".join(lines).encode()[:byte_count]


def received(host):
    """Bytes that the kernel has taken from the host's line so far."""
    said = subprocess.run([*lan.on(host), "cat", "/proc/net/dev"], stdout=subprocess.PIPE, check=True,
                          text=True).stdout
    return next(int(line.split(":")[1].split()[0]) for line in said.splitlines() if "eth0:" in line)


class Case:
    """A folder on host 1, a large file and a small one that makes it a folder, and empty folders elsewhere."""

    def __init__(self, scratch, name, data, kind="v2"):
        self.scratch = os.path.join(scratch, name)
        self.source = os.path.join(self.scratch, "source")
        trees.write(self.source, "data/file", data)
        trees.write(self.source, "data/note", NOTE)
        self.data = data
        self.torrent = os.path.join(self.scratch, "it.torrent")
        self.v1, self.v2 = swarm.create(os.path.join(self.source, "data"), self.torrent, kind, "auto")
        self.count = 0

    def fresh(self):
        self.count += 1
        folder = os.path.join(self.scratch, str(self.count))
        os.makedirs(folder)
        return folder

    def seed(self, *more):
        found = node.seed(self.torrent, self.fresh(), "10.77.0.1:6901", "--data", self.source, *ALONE,
                          *more, prefix=lan.on(1))
        node.is_whole(found)
        return found

    def join(self, host, *more, peer="10.77.0.1:6901"):
        target = self.fresh()
        found = node.join(self.torrent, target, self.fresh(), f"{lan.address(host)}:6902", *ALONE, *more,
                          peers=[peer], prefix=lan.on(host))
        return found, target

    def wrong(self, target):
        return contents.difference_soon(os.path.join(self.source, "data"), os.path.join(target, "data"))


def between_ours(case, name, is_shorter, *more):
    with case.seed() as seed:
        before = received(2)
        leech, target = case.join(2, *more)
        with leech:
            done = node.finished(leech, PATIENCE)
            counted = received(2) - before
            wrong = case.wrong(target) if done else "not finished"
            report.check(f"{name} arrives", wrong is None,
                         f"{wrong}; leech: {leech.said()}; seed: {seed.said()}")
            sent = seed.fresh_status()
            spared = leech.fresh_status().get("download_saved")
        size = len(case.data)
        report.note(f"{name}: {counted} bytes over the line for {size}, {spared} spared")
        if is_shorter:
            report.check(f"{name}: fewer bytes than content", counted < size * 0.6, f"{counted} of {size}")
            report.check(f"{name}: what was spared is told", spared is not None
                         and abs(size - spared - counted) < size * 0.1, f"{spared}, {counted}, {size}")
            report.check(f"{name}: the seed tells it, too", sent.get("upload_saved") == spared, sent)
        else:
            report.check(f"{name}: as many bytes as content", size <= counted < size * 1.15,
                         f"{counted} of {size}")
            report.check(f"{name}: hardly anything is spared", spared is not None
                         and spared < size // 100, f"{spared}")
    expected = 0 if "--no-compression" in more else 1
    report.equal(f"{name}: peers that speak it", sent.get("compressing_peers"), expected)


def to_others(case):
    """Clients that do not speak of frames."""
    size = len(case.data)
    for name, make in (
            ("libtorrent 2.0.8", lambda where, target: clients.Libtorrent(
                "2.0.8", where, target, torrent=case.torrent, peers=["10.77.0.1:6901"])),
            ("libtorrent 2.1.1", lambda where, target: clients.Libtorrent(
                "2.1.1", where, target, torrent=case.torrent, peers=["10.77.0.1:6901"])),
            ("aria2", lambda where, target: clients.Aria2(case.torrent, target, where))):
        where = f"{HERE_ADDRESS}:7003"
        target = case.fresh()
        more = ["--peer", where] if name == "aria2" else []
        with case.seed(*more) as seed, make(where, target) as leech:
            done = leech.finished(PATIENCE)
            wrong = case.wrong(target) if done else "not finished"
            report.check(f"{name} gets text", wrong is None, f"{wrong}; {leech.said()}; {seed.said()}")
            status = seed.fresh_status()
            report.check(f"{name} gets blocks as they are",
                         status.get("upload_saved") == 0 and (status.get("uploaded") or 0) >= size, status)


def by_hand(case):
    """docs/compression.md, as another program would do it."""
    infohash = bytes.fromhex(case.v1)
    piece_length = swarm.Listing(case.torrent).piece_length
    blocks = [(at // piece_length, at % piece_length, min(frame_peer.BLOCK, len(case.data) - at))
              for at in range(0, min(len(case.data), piece_length, 1 << 17), frame_peer.BLOCK)]
    right = [case.data[piece * piece_length + at:][:length] for piece, at, length in blocks]
    with case.seed():
        for speaks in (True, False):
            found, byte_count = frame_peer.fetch("10.77.0.1:6901", infohash, blocks, speaks)
            words = "a client that takes frames" if speaks else "a client that does not"
            report.equal(f"{words} gets the bytes", [each for each, _ in found] == right, True)
            report.equal(f"{words} gets frames", all(frame for _, frame in found) if speaks
                         else any(frame for _, frame in found), speaks)
            size = sum(map(len, right))
            report.check(f"{words}: bytes", byte_count < size * 0.6 if speaks else byte_count > size,
                         f"{byte_count} for {size}")
    for name, spoil in (("right", lambda frame: frame), ("cut", lambda frame: frame[:-1]),
                        ("longer", lambda frame: frame + b"\0"),
                        ("skippable", lambda frame: b"\x50\x2a\x4d\x18\1\0\0\0x" + frame),
                        ("damaged", lambda frame: frame[:40] + bytes([frame[40] ^ 16]) + frame[41:]),
                        ("of other bytes", lambda frame: frame_peer.compress(b"a" * frame_peer.BLOCK))):
        with frame_peer.Seed((HERE_ADDRESS, 0), infohash, case.data + NOTE, piece_length, spoil) as seed:
            leech, target = case.join(2, peer=f"{HERE_ADDRESS}:{seed.port}")
            with leech:
                if name == "right":
                    done = node.finished(leech, PATIENCE)
                    wrong = case.wrong(target) if done else "not finished"
                    report.check("frames made by hand arrive", wrong is None and seed.frames > 0,
                                 f"{wrong}; {seed.frames} frames; {leech.said()}")
                else:
                    report.check(f"frames that are {name}: the peer is sent away",
                                 seed.ended.wait(PATIENCE), leech.said())
                    # The small file beside it comes as it is, and is right.
                    kept = node.done(leech.fresh_status())
                    report.check(f"frames that are {name}: nothing is kept of them", kept in (0, len(NOTE)), kept)


def main():
    with tempfile.TemporaryDirectory(prefix="swarm-frames-") as scratch:
        lan.make(2)
        lan.ip("addr", "add", HERE_ADDRESS + "/24", "dev", lan.BRIDGE)
        for host in (1, 2):
            subprocess.run([*lan.on(host), "tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", "50mbit",
                            "burst", "64kb", "latency", "200ms"], check=True)
        words = Case(scratch, "text", text(16 * MIB, 1))
        between_ours(words, "text", True)
        between_ours(words, "text without compression", False, "--no-compression")
        between_ours(Case(scratch, "random", contents.large(16 * MIB, 5)), "random bytes", False)
        shutil.rmtree(words.scratch)
        old = Case(scratch, "old", text(2 * MIB, 2), "v1")
        between_ours(old, "text in v1", True)
        to_others(old)
        by_hand(old)
    report.finish()


main()
