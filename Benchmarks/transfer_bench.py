"""One seed to one leech: our program, libtorrent 2.0.8 and 2.1.1, aria2, transmission where asked
for, and a plain C pipe, in turn, fresh processes each time, on a tmpfs and on a disk.

From the start of the leech until all is verified and written. CPU seconds while that lasts, the
leech's whole; peak resident memory. Asserts nothing about time. In a network of its own: root.
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
import contents
import measure
import swarm
from tracker import Tracker

SEED, LEECH, TRACKER = "10.99.0.1:6901", "10.99.0.2:6902", ("10.99.0.9", 6900)
PIECE = 1 << 20


def contestants(scratch, path, tracker, with_transmission):
    folder = os.path.dirname(path)
    torrents = {}
    for kind in ("v2", "hybrid", "v1"):
        torrents[kind] = os.path.join(scratch, kind + ".torrent")
        swarm.create(path, torrents[kind], kind, PIECE)
    announced = os.path.join(scratch, "announced.torrent")
    swarm.create(path, announced, "v1", PIECE, "--tracker", tracker.url)
    found = {"C pipe": measure.Pipe(scratch, path)}
    for kind, torrent in torrents.items():
        found[f"swarm {kind}"] = measure.Ours(torrent, folder, scratch)
        for version in clients.PYTHONS:
            found[f"libtorrent {version} {kind}"] = measure.Theirs(version, torrent, folder)
    found["aria2 v1"] = measure.Marked(clients.Aria2, announced, folder, tracker)
    if with_transmission:
        found["transmission v1"] = measure.Marked(clients.Transmission, announced, folder, tracker)
    return found


def once(contestant, path, target, is_compared):
    def compare():
        wrong = contents.difference_soon(path, os.path.join(target, os.path.basename(path)))
        if wrong:
            raise RuntimeError(wrong)
    return measure.transfer(contestant, SEED, LEECH, target, *([compare] if is_compared else []))


def bench(base, tracker, options):
    table = measure.Table(options.json, measure.medium(base))
    with tempfile.TemporaryDirectory(prefix="swarm-bench-", dir=base) as scratch:
        path = os.path.join(scratch, "seed", "content.bin")
        measure.fill(path, options.size)
        cases = contestants(scratch, path, tracker, options.transmission)
        if options.only:
            cases = {name: each for name, each in cases.items()
                     if any(word in name for word in options.only.split(","))}
        for number in range(options.runs):
            for name, each in list(cases.items()):
                try:
                    table.add(name, **once(each, path, os.path.join(scratch, "target"),
                                           number == 0))
                except (RuntimeError, OSError) as error:
                    print(f"{name}: FAILED: {error}", file=sys.stderr)
                    del cases[name]
    print(f"\n{options.size >> 20} MiB, one seed, one leech, in {base}, {options.runs} rounds")
    table.show()
    rivals = [f"libtorrent {version} {kind}" for version in clients.PYTHONS
              for kind in ("v2", "hybrid", "v1")] + ["aria2 v1", "transmission v1"]
    for kind in ("v2", "hybrid", "v1"):
        table.compare(f"swarm {kind}", rivals, also=("CPU s",))
    table.compare("swarm v2", ["C pipe"], also=("CPU s",))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=measure.size, default=1 << 30, help="bytes; 1G without")
    parser.add_argument("--runs", type=int, default=5, help="rounds; 5 without")
    parser.add_argument("--folders", default="/dev/shm," + tempfile.gettempdir(),
                        help="where the content is, one bench each: a tmpfs and a disk without")
    parser.add_argument("--only", help="words of the cases wanted, such as 'swarm v2,C pipe'")
    parser.add_argument("--transmission", action="store_true", help="it takes 15 s a round")
    parser.add_argument("--json", help="a file for every single figure, one object a line")
    options = parser.parse_args()
    measure.describe_machine()
    tracker = Tracker(*TRACKER)
    for base in options.folders.split(","):
        bench(base, tracker, options)


main()
