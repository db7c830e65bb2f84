"""An update moves what changed: a file of 1 GiB that two others have joined by key gets 1 MiB in its
middle changed and a file of 5 MiB beside it; then `swarm publish`. How many bytes the followers fetch, as
they and the kernel count, and how long from the end of publish until both have all of it, hashed; then
both versions of both followers are read back, byte for byte. On a tmpfs and on a disk.

Nobody else follows keys, so there is nobody to compare with. In a network of its own: root. Asserts
nothing about time.
"""
import argparse
import os
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../interop/lib"))
from isolate import ADDRESSES, isolated

isolated()
import measure
import node
from packets import Packets
from swarm import run_json

CHANGED, ADDED = 1 << 20, 5 << 20
CHUNK = 4 << 20
PATIENCE = 300


def place(number):
    return f"{ADDRESSES[number]}:6901"


def options(number):
    """Each knows one other node of their DHT, and nothing else but the key."""
    return ["--dht-node", place(0 if number else 1), "--no-lan", "--no-mapping"]


class Source:
    """The publisher's folder, and what versions 1 and 2 of it are."""

    def __init__(self, folder, byte_count):
        self.folder = folder
        self.large = os.path.join(folder, "large")
        self.added = os.path.join(folder, "added")
        self.offset = byte_count // 2
        measure.fill(self.large, byte_count)
        self.before = b""

    def change(self):
        with open(self.large, "r+b") as file:
            file.seek(self.offset)
            self.before = file.read(CHANGED)
            file.seek(self.offset)
            file.write(os.urandom(CHANGED))
        measure.fill(self.added, ADDED)

    def wrong(self, place, version):
        """What differs in somebody's version 1 or 2; "" for nothing. A folder with one file is that
        file to BitTorrent."""
        if os.path.isfile(place):
            files = {"large": place}
        else:
            files = {each: os.path.join(place, each) for each in os.listdir(place)}
        if set(files) != {"large", *["added"] * (version == 2)}:
            return f"{place}: {sorted(files)}"
        for name, path in files.items():
            fault = self._difference(name, path, version)
            if fault is not None:
                return f"{path}: differs at byte {fault}"
        return ""

    def _difference(self, name, path, version):
        at = 0
        with open(os.path.join(self.folder, name), "rb") as ours, open(path, "rb") as theirs:
            while True:
                right, found = bytearray(ours.read(CHUNK)), theirs.read(CHUNK)
                if version == 1 and name == "large":
                    start = max(self.offset - at, 0)
                    skip = max(at - self.offset, 0)
                    piece = self.before[skip:skip + max(0, len(right) - start)]
                    if start < len(right):
                        right[start:start + len(piece)] = piece
                if right != found:
                    return at
                if not right:
                    return None
                at += len(right)


def whole(follower, version):
    """When a follower sees and has all of a version, where it is, and the status after that."""
    newer = follower.wait("version", PATIENCE, lambda each: each["number"] == version)
    if newer is None:
        raise RuntimeError(f"version {version} is not seen: {follower.said()}")
    found = follower.wait("finished", PATIENCE,
                          lambda each: each["seconds"] > newer["seconds"])
    if found is None:
        raise RuntimeError(f"version {version} does not come: {follower.said()}")
    status = follower.wait("status", PATIENCE, lambda each: each["finished"] and
                           each["seconds"] > found["seconds"])
    return {"seen": follower.started_at + newer["seconds"], "path": found["path"],
            "whole": follower.started_at + found["seconds"], "status": status}


def once(base, byte_count):
    with tempfile.TemporaryDirectory(prefix="swarm-update-", dir=base) as scratch:
        source = Source(os.path.join(scratch, "data"), byte_count)
        state = os.path.join(scratch, "state")
        nodes = [node.seed(source.folder, state, place(0), *options(0))]
        try:
            started = nodes[0].wait("started", PATIENCE)
            if started is None:
                raise RuntimeError(f"our seed does not start: {nodes[0].said()}")
            targets = [os.path.join(scratch, f"target{each}") for each in (1, 2)]
            for each, target in enumerate(targets, 1):
                nodes.append(node.join(started["dataset_key"], target,
                                       os.path.join(scratch, f"state{each}"), place(each),
                                       *options(each)))
            first = [whole(each, 1)["path"] for each in nodes[1:]]
            source.change()
            # What is newer than a tick of the kernel's clock is looked at twice.
            time.sleep(0.5)
            return publish(source, state, nodes[1:], first)
        finally:
            for each in nodes:
                each.kill()


def publish(source, state, followers, first):
    packets = Packets(ADDRESSES[1:3])
    try:
        cpu = [measure.cpu(each.pid) for each in followers]
        began = time.monotonic()
        published, _ = run_json("publish", source.folder, "--state", state)
        ended = time.monotonic()
        ends = [whole(each, 2) for each in followers]
        spent = sum(measure.cpu(each.pid) for each in followers) - sum(cpu)
        wire = [packets.of(each)["received bytes"] for each in ADDRESSES[1:3]]
    finally:
        Packets.end()
    reading = time.monotonic()
    second = [each["path"] for each in ends]
    for version, places in ((1, first), (2, second)):
        for each in places:
            wrong = source.wrong(os.path.realpath(each), version)
            if wrong:
                raise RuntimeError(wrong)
    return {"publish s": ended - began,
            "head s": max(each["seen"] for each in ends) - ended,
            "both whole s": max(each["whole"] for each in ends) - ended,
            "read back s": time.monotonic() - reading,
            "fetched MiB": max(each["status"]["downloaded"] for each in ends) / (1 << 20),
            "on the wire MiB": max(wire) / (1 << 20),
            "differing MiB": published["differing_bytes"] / (1 << 20),
            "CPU s": spent}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=measure.size, default=1 << 30, help="bytes; 1G without")
    parser.add_argument("--runs", type=int, default=3, help="rounds; 3 without")
    parser.add_argument("--folders", default="/dev/shm," + tempfile.gettempdir(),
                        help="where everything is, one bench each: a tmpfs and a disk without")
    parser.add_argument("--json", help="a file for every single figure, one object a line")
    chosen = parser.parse_args()
    measure.describe_machine()
    measure.say_load()
    for base in chosen.folders.split(","):
        table = measure.Table(chosen.json, measure.medium(base))
        for _ in range(chosen.runs):
            try:
                table.add(f"swarm, {base}", **once(base, chosen.size))
            except (RuntimeError, OSError) as error:
                print(f"{base}: FAILED: {error}", file=sys.stderr)
        print(f"\n{chosen.size >> 20} MiB of which 1 MiB changes, and 5 MiB more, in {base}, "
              f"{chosen.runs} rounds; a follower's, the larger of two; CPU of both")
        table.show()


main()
