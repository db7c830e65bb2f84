"""Ten nodes that boot the same Debian at once, from one seed: each starts with nothing, knows the seed
and the others, and a client replays over NBD what a boot has read, with its pauses (ten emulated machines
would have to share two cores). All nodes are started before the first client; "begun within s" tells how
much the clients are apart. Seconds from a client's first read until its last, beside one alone; and what
the seed sends, headers and all, beside what one boot reads. In a network of its own: root, and the
network for Debian's packages. Asserts nothing.
"""
import argparse
import os
import statistics
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../interop/lib"))
import isolate
import machine

if os.environ.get(isolate.MARK) != "inside" and os.geteuid() == 0:
    machine.image()
isolate.isolated()
import boots
import disks
import measure
import swarm
import wan
from packets import Packets


def once(net, count, kind, torrent, image, reads, scratch, settle):
    """So many at once: what each client says, with the seconds from the start of its node, and bytes that the
    seed sent."""
    seed = disks.seed(net, kind, torrent, os.path.dirname(image), scratch)
    nodes = []
    try:
        with net.on(1):
            Packets([net.address(1)])
        hosts = range(2, 2 + count)
        for host in hosts:
            nodes.append(disks.Ours(net, torrent, scratch, host=host,
                                    peers=[1, *(each for each in hosts if each != host)]))
            nodes[-1].export = boots.DISK
        for each in nodes:
            each.wait()
        time.sleep(settle)
        clients = [disks.reader(each, "replay", reads) for each in nodes]
        found = [disks.finish(each, boots.PATIENCE) for each in clients]
        with net.on(1):
            sent = Packets.of(net.address(1))["sent bytes"]
        return found, sent
    finally:
        with net.on(1):
            Packets.end()
        for each in nodes:
            each.__exit__()
        seed.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="rounds; 3 without")
    parser.add_argument("--size", help="nothing here; the other benches know it")
    parser.add_argument("--nodes", type=int, default=10, help="how many; 10 without")
    parser.add_argument("--rtt", type=int, default=40, help="milliseconds there and back; 40 without")
    parser.add_argument("--rate", type=int, default=100, help="Mbit/s of each line; 100 without")
    parser.add_argument("--seeds", default="swarm", help="swarm or 2.0.8, a libtorrent, or both")
    parser.add_argument("--boot", type=float, metavar="SECONDS",
                        help="make the recorded pauses as short as a boot of this time had them")
    parser.add_argument("--settle", type=float, default=0, help="seconds until they read; 0 without")
    parser.add_argument("--folder", default="/dev/shm", help="a tmpfs without")
    parser.add_argument("--json", help="a file for every single figure, one object a line")
    options = parser.parse_args()
    measure.describe_machine()
    measure.say_load()
    table = measure.Table(options.json)
    with tempfile.TemporaryDirectory(prefix="swarm-crowd-", dir=options.folder) as scratch:
        os.environ["TMPDIR"] = scratch
        with wan.Network(2, 0, 0, scratch) as near:
            published = boots.Published(near, scratch)
        if options.boot:
            published.quicken(options.boot)
        torrent = os.path.join(scratch, "image.torrent")
        swarm.create(published.image, torrent, "v2", "64K")
        with wan.Network(options.nodes + 1, options.rtt, options.rate, scratch) as net:
            for _ in range(options.runs):
                for kind in options.seeds.split(","):
                    for count in (1, options.nodes):
                        try:
                            found, sent = once(net, count, kind, torrent, published.image,
                                               published.reads, scratch, options.settle)
                        except (RuntimeError, OSError) as error:
                            print(f"{count} from {kind}: FAILED: {error}", file=sys.stderr)
                            continue
                        seconds, began = ([each[key] for each in found] for key in ("seconds", "began"))
                        table.add(f"{count} from {kind}", **{
                            "slowest s": max(seconds), "mean s": statistics.mean(seconds),
                            "waited s": max(each["waited"] for each in found),
                            "begun within s": max(began) - min(began), "seed sent MiB": sent / 2**20,
                            "bytes a byte": sent / published.bytes_read})
            print(f"\nA boot's reads, {published.bytes_read / 2**20:.1f} MiB in {published.seconds:.1f} s, "
                  f"{net.title}, {options.runs} rounds")
            table.show()
    for kind in options.seeds.split(","):
        one, many = f"1 from {kind}", f"{options.nodes} from {kind}"
        if one in table.rows and many in table.rows:
            ratio = table.median(many, "slowest s") / table.median(one, "slowest s")
            sent = table.median(many, "seed sent MiB") / table.median(one, "seed sent MiB")
            print(f"{many}: the slowest {ratio:.2f} times one alone, the seed sends {sent:.2f} times as "
                  "much as to that one")


main()
