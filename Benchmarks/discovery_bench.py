"""Finding each other in a private DHT of 30 libtorrents, ours and libtorrent in turn: how long a magnet
with nothing but an infohash takes to its first peer, a mutable item to be put and to be got; then
each once more when ten of the 30 have just left without a word, in a network of its own every time.
Ours joins by key, too, which libtorrent cannot.

Peers that are looked for are libtorrent's, the same for everybody, a torrent for each try. Ours counts
from the start of its process, and from when it listens; libtorrent from when its session is made.
In a network of its own: root. Asserts nothing.
"""
import argparse
import os
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../interop/lib"))
from isolate import isolated

isolated()
import clients
import handmade
import measure
import node
import private_dht
import trees
from bencode import encode
from swarm import run_json

OURS = "swarm"
THEIRS = {f"libtorrent {version}": version for version in clients.PYTHONS}
BYTES = 80_000  # of each torrent
PAUSE = 0.2  # seconds between two exchanges: what the one before set off is over


class Torrents:
    """Torrents that a libtorrent in the network seeds; each is used once."""

    def __init__(self, scratch, network, count):
        self.scratch = scratch
        self.links = []
        seeder = network.libtorrent("2.0.8")
        network.settle()
        folder = tempfile.mkdtemp(dir=scratch)
        paths = []
        for number in range(count):
            name = b"%d" % number
            torrent = handmade.torrent("v2", [([name], BYTES)])
            torrent[b"info"][b"name"] = name
            paths.append(os.path.join(folder, f"{number}.torrent"))
            with open(paths[-1], "wb") as file:
                file.write(encode(torrent))
            trees.write(os.fsencode(folder), name, trees.content([name], BYTES))
            self.links.append(run_json("inspect", paths[-1])[0]["infohash_v2"])
        seeder.do("seed", torrents=paths, folder=folder)

    def take(self):
        return f"magnet:?xt=urn:btmh:1220{self.links.pop()}"

    def folder(self):
        return tempfile.mkdtemp(dir=self.scratch)


def our_options(network):
    return ["--dht-node", network.bootstrap, "--no-lan", "--no-mapping"]


def join(contestant, network, torrents, keep):
    """Seconds to the first peer. What has joined stays until the network goes."""
    if contestant in THEIRS:
        joiner = private_dht.Libtorrent(THEIRS[contestant], network.bootstrap)
        network.others.append(joiner.ready())
        found = joiner.do("join", link=torrents.take(), folder=torrents.folder(),
                          listen=network.place())
        return {"peer s": need(found["first"], contestant)}
    joiner = node.join(torrents.take(), torrents.folder(), torrents.folder(), network.place(),
                       *our_options(network))
    keep.append(joiner)
    up = need(joiner.wait("started"), joiner)["seconds"]
    found = need(joiner.wait("peer", where=lambda each: each["state"] == "connected"), joiner)
    return {"peer s": found["seconds"], "from listening on": found["seconds"] - up}


def need(found, contestant):
    if found is None:
        said = contestant.said() if hasattr(contestant, "said") else contestant
        raise RuntimeError(f"finds nothing: {said}")
    return found


def join_by_key(network, torrents, seed, keep):
    """Ours alone: from the start of the process until the head is known, until the first peer and
    until all is here."""
    joiner = node.join(seed, torrents.folder(), torrents.folder(), network.place(),
                       *our_options(network))
    keep.append(joiner)
    head = need(joiner.wait("version"), joiner)["seconds"]
    peer = need(joiner.wait("peer", where=lambda each: each["state"] == "connected"), joiner)
    whole = need(joiner.wait("finished"), joiner)["seconds"]
    return {"head s": head, "peer s": peer["seconds"], "all s": whole}


def exchange(putter, getter):
    """A new item is put by one and got by another."""
    put = putter.put()
    got = getter.get(put["key"])
    if put["all"] is None or got["first"] is None:
        raise RuntimeError(f"put {put}, got {got}")
    return {"put ms": put["all"] * 1e3, "get ms": got["first"] * 1e3,
            "both ms": (put["all"] + got["first"]) * 1e3, "get's end ms": got["all"] * 1e3,
            "copies": put["stored"]}


def pair(contestant, network):
    if contestant in THEIRS:
        return [network.libtorrent(THEIRS[contestant]) for _ in range(2)]
    return [network.ours() for _ in range(2)]


class Tries:
    """Each of the contestants in turn; who fails is told of, and goes on."""

    def __init__(self, options):
        self.options = options
        self.cases = [OURS, *THEIRS]
        if options.only:
            self.cases = [each for each in self.cases if options.only in each]

    def table(self, title):
        print("\n" + title)
        return measure.Table(self.options.json)

    def attempt(self, table, name, body, *arguments):
        try:
            table.add(name, **body(*arguments))
        except (RuntimeError, OSError) as error:
            print(f"{name}: FAILED: {error}", file=sys.stderr)


def stop(keep):
    for each in keep:
        each.kill()
    keep.clear()


def joins(tries, scratch, leaving):
    """Magnets, and ours by key."""
    runs, keep = tries.options.runs, []
    when = "when ten of 30 have just left" if leaving else "in 30 nodes"
    table = tries.table(f"a magnet with an infohash alone, {when}, {runs} rounds")
    by_key = measure.Table(tries.options.json)
    suffix = ", ten left" if leaving else ""

    def publisher(network, torrents):
        folder = os.path.join(torrents.folder(), "data")
        measure.fill(os.path.join(folder, "file"), BYTES)
        seed = node.seed(folder, torrents.folder(), network.place(), *our_options(network))
        keep.append(seed)
        return need(seed.wait("started"), seed)["dataset_key"]

    try:
        if not leaving:
            with private_dht.Network() as network:
                torrents = Torrents(scratch, network, runs * len(tries.cases))
                for _ in range(runs):
                    key = publisher(network, torrents)
                    for name in tries.cases:
                        tries.attempt(table, name, join, name, network, torrents, keep)
                    tries.attempt(by_key, "swarm by key", join_by_key, network, torrents, key, keep)
                stop(keep)
        else:
            for _ in range(runs):
                for name in [*tries.cases, None]:
                    with private_dht.Network() as network:
                        torrents = Torrents(scratch, network, 1)
                        key = publisher(network, torrents) if name is None else None
                        if key:
                            keep[0].wait("status", 3, lambda _: False)  # Its head is put meanwhile.
                        network.ten_leave()
                        if name:
                            tries.attempt(table, name + suffix, join, name, network, torrents, keep)
                        else:
                            tries.attempt(by_key, "swarm by key" + suffix, join_by_key, network,
                                          torrents, key, keep)
                        stop(keep)
    finally:
        stop(keep)
    table.show()
    table.compare(OURS + suffix, [each + suffix for each in THEIRS], by="peer s")
    by_key.show()


def items(tries, scratch, leaving):
    runs = tries.options.runs
    when = "when ten of 30 have just left" if leaving else "in 30 nodes"
    table = tries.table(f"a mutable item, put and got, {when}, {runs} rounds")
    if not leaving:
        with private_dht.Network() as network:
            pairs = {name: pair(name, network) for name in tries.cases}
            network.settle()
            for _ in range(5 * runs):
                for name, (putter, getter) in pairs.items():
                    time.sleep(PAUSE)
                    tries.attempt(table, name, exchange, putter, getter)
        table.show()
        table.compare(OURS, THEIRS, by="both ms")
        return
    for _ in range(runs):
        for name in tries.cases:
            with private_dht.Network() as network:
                putter, getter = pair(name, network)
                network.settle()
                network.ten_leave()
                tries.attempt(table, name + ", the first", exchange, putter, getter)
                tries.attempt(table, name + ", the second", exchange, putter, getter)
    table.show()
    for which in (", the first", ", the second"):
        table.compare(OURS + which, [each + which for each in THEIRS], by="both ms")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="rounds; 5 without")
    parser.add_argument("--size", help="nothing here; the other benches know it")
    parser.add_argument("--only", help="a word of the cases wanted, such as 'swarm'")
    parser.add_argument("--parts", default="joins,items,joins-left,items-left",
                        help="which of these; all without")
    parser.add_argument("--json", help="a file for every single figure, one object a line")
    options = parser.parse_args()
    measure.describe_machine()
    measure.say_load()
    tries = Tries(options)
    parts = {"joins": joins, "items": items}
    with tempfile.TemporaryDirectory(prefix="swarm-dht-") as scratch:
        for part in options.parts.split(","):
            parts[part.split("-")[0]](tries, scratch, part.endswith("-left"))


main()
