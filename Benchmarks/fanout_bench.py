"""One seed to several leeches at once, who know the seed and one another: how long until the last
has everything, and how many times the content the seed sent. aria2's leeches have a libtorrent
2.0.8 for a seed, whose upload can be counted. In a network of its own: root. Asserts nothing.
"""
import argparse
import os
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../interop/lib"))
from isolate import ADDRESSES, isolated

isolated()
import clients
import measure
import swarm
from tracker import Tracker

TRACKER = ("10.99.0.32", 6900)
PIECE = 1 << 20


def endpoint(number):
    return f"{ADDRESSES[number]}:6901"


def once(contestant, seeder, scratch, count, byte_count):
    seed = seeder.seed(endpoint(0))
    leeches = []
    try:
        before = measure.cpu(seed.pid)
        for number in range(1, count + 1):
            target = os.path.join(scratch, f"target{number}")
            os.mkdir(target)
            known = [endpoint(each) for each in range(number)]
            leeches.append(contestant.leech(target, endpoint(number), known))
        first = leeches[0].started_at
        ends, start_up = [], 0
        for each in leeches:
            wall, extra = contestant.finish(each)
            ends.append(each.started_at - first + wall)
            start_up += extra
        total = sum(measure.cpu(each.pid) for each in leeches) - start_up
        total += measure.cpu(seed.pid) - before
        peak = max(measure.memory(each.pid)[0] for each in leeches)
        return {"last s": max(ends), "seed sent": seeder.sent(seed) / byte_count, "CPU s": total,
                "leech MiB": peak, "seed MiB": measure.memory(seed.pid)[0]}
    finally:
        for each in [*leeches, seed]:
            each.kill() if hasattr(each, "kill") else each.stop()
        for number in range(1, count + 1):
            shutil.rmtree(os.path.join(scratch, f"target{number}"), ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=measure.size, default=256 << 20, help="bytes; 256M without")
    parser.add_argument("--leeches", type=int, default=4, help="how many; 4 without")
    parser.add_argument("--runs", type=int, default=5, help="rounds; 5 without")
    parser.add_argument("--folder", default="/dev/shm", help="a tmpfs without")
    parser.add_argument("--only", help="words of the cases wanted")
    parser.add_argument("--json", help="a file for every single figure, one object a line")
    options = parser.parse_args()
    measure.describe_machine()
    table = measure.Table(options.json)
    with tempfile.TemporaryDirectory(prefix="swarm-fan-", dir=options.folder) as scratch:
        path = os.path.join(scratch, "seed", "content.bin")
        folder = os.path.dirname(path)
        measure.fill(path, options.size)
        tracker = Tracker(*TRACKER)
        cases = {}
        for kind in ("v2", "v1"):
            torrent = os.path.join(scratch, kind + ".torrent")
            swarm.create(path, torrent, kind, PIECE, "--tracker", tracker.url)
            each = measure.Ours(torrent, folder, scratch)
            cases[f"swarm {kind}"] = (each, each)
            for version in clients.PYTHONS:
                each = measure.Theirs(version, torrent, folder)
                cases[f"libtorrent {version} {kind}"] = (each, each)
        cases["aria2 v1"] = (measure.Marked(clients.Aria2, torrent, folder, tracker),
                             measure.Theirs("2.0.8", torrent, folder))
        if options.only:
            cases = {name: each for name, each in cases.items()
                     if any(word in name for word in options.only.split(","))}
        for _ in range(options.runs):
            for name, (leech, seed) in list(cases.items()):
                try:
                    table.add(name, **once(leech, seed, scratch, options.leeches, options.size))
                except (RuntimeError, OSError) as error:
                    print(f"{name}: FAILED: {error}", file=sys.stderr)
                    del cases[name]
    print(f"\n{options.size >> 20} MiB, one seed, {options.leeches} leeches, in {options.folder}, "
          f"{options.runs} rounds")
    table.show()
    rivals = [name for name in table.rows if not name.startswith("swarm")]
    for kind in ("v2", "v1"):
        table.compare(f"swarm {kind}", rivals, by="last s", also=("CPU s", "seed sent"))


main()
