"""Cold reads of 4 KiB here and there, from a disk that is in a swarm of one seed: how long each takes,
one at a time and 16 at once, and how many bytes the seed sends for each that is read, headers and all.
Ours without read-ahead, nbdkit's torrent plugin, btfs. The others know the seed, a libtorrent, from a
tracker; their torrent is v1, of the same small pieces. After --seconds no more reads begin. "first ms" is
from the start of the program to the first answer. In a network of its own: root. Asserts nothing.
"""
import argparse
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../interop/lib"))
from isolate import isolated

isolated()
import disks
import measure
import wan
from packets import Packets


def once(net, kind, make, torrent, folder, scratch, depth, options, number):
    # A fresh seed each time: a killed client lingers in an old one.
    seed = disks.seed(net, kind, torrent, folder, scratch)
    try:
        with net.on(1):
            Packets([net.address(1)])
        with make(net, torrent, scratch) as disk:
            found = disks.read(disk, "random", options.reads * depth, depth, number, options.seconds,
                               seconds=options.seconds + disks.PATIENCE)
            times = found["times"]
            with net.on(1):
                sent = Packets.of(net.address(1))["sent bytes"]
            return {"p50 ms": disks.quantile(times, 0.5), "p99 ms": disks.quantile(times, 0.99),
                    "bytes a byte": sent / (4096 * len(times)), "reads": len(times),
                    "first ms": (found["first"] - disk.started_at) * 1000}
    finally:
        with net.on(1):
            Packets.end()
        seed.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=measure.size, default=400 << 20, help="bytes; 400M without")
    parser.add_argument("--runs", type=int, default=3, help="rounds; 3 without")
    parser.add_argument("--reads", type=int, default=400, help="at the most, times the depth; 400 without")
    parser.add_argument("--seconds", type=int, default=20, help="at the most, in each; 20 without")
    parser.add_argument("--rtt", default="0,40", help="milliseconds there and back; 0,40 without")
    parser.add_argument("--rate", type=int, default=0, help="Mbit/s of each line; no bound without")
    parser.add_argument("--depths", default="1,16", help="reads at once; 1,16 without")
    parser.add_argument("--folder", default="/dev/shm", help="a tmpfs without")
    parser.add_argument("--only", help="words of the cases wanted")
    parser.add_argument("--json", help="a file for every single figure, one object a line")
    options = parser.parse_args()
    measure.describe_machine()
    measure.say_load()

    def ours(net, torrent, scratch):
        return disks.Ours(net, torrent, scratch, "--no-read-ahead")

    # By its name: who seeds, which torrent, what offers the disk.
    cases = {"swarm": ("swarm", "v2", ours), "swarm from libtorrent": ("2.0.8", "v2", ours)}
    for rival in disks.rivals():
        cases[rival.title] = ("2.0.8", "v1", lambda net, torrent, scratch, rival=rival: rival(
            net, torrent, scratch, "disk.img"))
    if options.only:
        cases = {name: each for name, each in cases.items()
                 if any(word in name for word in options.only.split(","))}
    for rtt in map(int, options.rtt.split(",")):
        with tempfile.TemporaryDirectory(prefix="swarm-reads-", dir=options.folder) as scratch, \
                wan.Network(2, rtt, options.rate, scratch) as net:
            table = measure.Table(options.json, net.title)
            path = os.path.join(scratch, "seed", "disk.img")
            measure.fill(path, options.size)
            tracker = disks.tracker(net)
            torrents = disks.torrents(path, scratch, tracker)
            for number in range(options.runs):
                for name, (seed, kind, make) in cases.items():
                    for depth in map(int, options.depths.split(",")):
                        try:
                            table.add(f"{name}, depth {depth}", **once(
                                net, seed, make, torrents[kind], os.path.dirname(path), scratch, depth,
                                options, number))
                        except (RuntimeError, OSError) as error:
                            print(f"{name}, depth {depth}: FAILED: {error}", file=sys.stderr)
            print(f"\n4 KiB of {options.size >> 20} MiB, {net.title}, {options.runs} rounds")
            table.show()


main()
