"""A sparse image of 1 TiB, of which nothing is here: seconds from the start of `swarm join --nbd` until it
is offered and until the first read is answered, memory then, and after reads of 4 KiB all over it, 16 at
once. The image is zeros, and its seed a script that keeps nothing (zeros.py). In a network of its own:
root. Asserts nothing.
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
import disks
import measure
import wan
from zeros import Zeros

NAME = "disk.img"


def once(net, torrent, scratch, reads, *more):
    with disks.Ours(net, torrent, scratch, *more) as disk:
        if disk.node.wait("exported", disks.PATIENCE) is None:
            raise RuntimeError(f"nothing is exported: {disk.node.said()}")
        exported = time.monotonic() - disk.started_at
        before = measure.memory(disk.node.pid)[0]
        found = disks.read(disk, "random", reads, 16, 1, 120, seconds=200)
        peak, anonymous = measure.memory(disk.node.pid)
        path = os.path.join(disk.folder, "out")
        files = [os.path.join(folder, each) for folder, _, names in os.walk(path) for each in names]
        return {"exported s": exported, "first read s": found["first"] - disk.started_at,
                "MiB exported": before, "MiB after reads": peak, "anon MiB": anonymous,
                "p50 ms": disks.quantile(found["times"], 0.5), "reads": len(found["times"]),
                "disk MiB": sum(os.stat(each).st_blocks for each in files) / 2048}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", help="nothing here; the other benches know it")
    parser.add_argument("--runs", type=int, default=3, help="rounds; 3 without")
    parser.add_argument("--reads", type=int, default=10_000, help="of 4 KiB; 10,000 without")
    parser.add_argument("--piece", type=measure.size, default=4 << 20, help="bytes; 4M without")
    parser.add_argument("--folder", default="/var/tmp", help="on a disk; /var/tmp without")
    parser.add_argument("--json", help="a file for every single figure, one object a line")
    options = parser.parse_args()
    measure.describe_machine()
    measure.say_load()
    table = measure.Table(options.json)
    with tempfile.TemporaryDirectory(prefix="swarm-huge-", dir=options.folder) as scratch, \
            wan.Network(2, 0, 0, scratch) as net:
        image = Zeros(NAME, 1 << 40, options.piece)
        torrent = os.path.join(scratch, "huge.torrent")
        image.write(torrent)
        with net.on(1):
            image.serve(net.address(1), disks.PORT)
        for _ in range(options.runs):
            for name, more in (("no read-ahead", ["--no-read-ahead"]), ("as usual", [])):
                try:
                    table.add(f"1 TiB, {name}", **once(net, torrent, scratch, options.reads, *more))
                except (RuntimeError, OSError) as error:
                    print(f"{name}: FAILED: {error}", file=sys.stderr)
    print(f"\n1 TiB in pieces of {options.piece >> 10} KiB, {options.reads} reads, {options.runs} rounds")
    table.show()


main()
