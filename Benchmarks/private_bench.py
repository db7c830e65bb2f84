"""One seed to one leech, both by link: a private dataset beside a public one, and libtorrent with its RC4
encryption forced and without, in turn, fresh processes each time, on a tmpfs.

From the start of the leech until all is verified and written. CPU seconds while that lasts, the leech's whole;
peak resident memory. Asserts nothing about time. In a network of its own: root.
"""
import argparse
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../interop/lib"))
from isolate import isolated

isolated()
import clients
import measure
import node
import swarm

SEED, LEECH = "10.99.0.1:6901", "10.99.0.2:6902"
PIECE = 1 << 20
QUIET = ("--no-dht", "--no-lan", "--no-mapping")


class Linked:
    """Our program with a dataset: the link is in a file, as that of a private one should be."""

    def __init__(self, path, scratch, *more):
        self.path, self.scratch, self.more = path, scratch, more
        # The same dataset each time, hashed once.
        self.state = tempfile.mkdtemp(dir=scratch)
        self.link = os.path.join(self.state, "link.txt")

    def seed(self, listen):
        seed = node.seed(self.path, self.state, listen, *QUIET, *self.more)
        started = seed.wait("started", measure.PATIENCE)
        if not started or not node.is_whole(seed, measure.PATIENCE):
            raise RuntimeError(f"our seed does not start: {seed.said()}")
        with open(self.link, "w", encoding="ascii") as file:
            file.write(node.link(started) + "\n")
        return seed

    def leech(self, target, listen, peers):
        state = tempfile.mkdtemp(dir=self.scratch)
        return node.join("@" + self.link, target, state, listen, *QUIET, peers=peers)

    finish = staticmethod(measure.Ours.finish)


class Encrypted(measure.Theirs):
    """libtorrent that takes and makes encrypted connections only, with RC4 to the end."""

    def seed(self, listen):
        seed = clients.Libtorrent(self.version, listen, self.folder, torrent=self.torrent,
                                  seed_mode=True, rc4=True)
        if not seed.started():
            raise RuntimeError("libtorrent does not start")
        return seed

    def leech(self, target, listen, peers):
        return clients.Libtorrent(self.version, listen, target, torrent=self.torrent, peers=peers,
                                  rc4=True)


def contestants(scratch, path):
    torrent = os.path.join(scratch, "v2.torrent")
    swarm.create(path, torrent, "v2", PIECE)
    folder = os.path.dirname(path)
    found = {"swarm public": Linked(path, scratch),
             "swarm private": Linked(path, scratch, "--private")}
    for version in clients.PYTHONS:
        if os.path.exists(clients.PYTHONS[version]):
            found[f"libtorrent {version} RC4"] = Encrypted(version, torrent, folder)
            found[f"libtorrent {version} plain"] = measure.Theirs(version, torrent, folder)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=measure.size, default=1 << 30, help="bytes; 1G without")
    parser.add_argument("--runs", type=int, default=5, help="rounds; 5 without")
    parser.add_argument("--only", help="words of the cases wanted, such as 'swarm,2.1.1 RC4'")
    parser.add_argument("--json", help="a file for every single figure, one object a line")
    options = parser.parse_args()
    measure.describe_machine()
    table = measure.Table(options.json)
    with tempfile.TemporaryDirectory(prefix="swarm-bench-", dir="/dev/shm") as scratch:
        # A dataset a file: one is private from its first version on, or never.
        path = os.path.join(scratch, "seed", "content.bin")
        measure.fill(path, options.size)
        cases = contestants(scratch, path)
        if options.only:
            cases = {name: each for name, each in cases.items()
                     if any(word in name for word in options.only.split(","))}
        measure.say_load()
        for _ in range(options.runs):
            for name, each in list(cases.items()):
                try:
                    table.add(name, **measure.transfer(each, SEED, LEECH, os.path.join(scratch, "target")))
                except (RuntimeError, OSError) as error:
                    print(f"{name}: FAILED: {error}", file=sys.stderr)
                    del cases[name]
    print(f"\n{options.size >> 20} MiB, one seed, one leech, {options.runs} rounds")
    table.show()
    table.compare("swarm private", ["swarm public"])
    table.compare("swarm private", [f"libtorrent {each} RC4" for each in clients.PYTHONS])


main()
