"""How soon a node has its first verified bytes: milliseconds from the start of `swarm join` with a known
peer until a read of 4 KiB over NBD is answered, by a torrent and by a link, beside the start of the program
alone. In a network of its own: root. Asserts nothing.
"""
import argparse
import os
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../interop/lib"))
from isolate import isolated

isolated()
import nbd

import disks
import measure
import node
import swarm
import wan


def once(net, what, scratch):
    """In this process: a second one would take longer to start than what is measured."""
    with disks.Ours(net, what, scratch, "--no-read-ahead") as disk:
        client = None
        while client is None:
            if time.monotonic() - disk.started_at > disks.PATIENCE:
                raise RuntimeError(f"nothing is offered: {disk.node.said()}")
            try:
                client = nbd.NBD()
                client.connect_unix(disk.socket)
            except nbd.Error:
                client = None
                time.sleep(0.001)
        offered = time.monotonic()
        client.pread(4096, client.get_size() // 2 // 4096 * 4096)
        return {"offered ms": (offered - disk.started_at) * 1000,
                "first byte ms": (time.monotonic() - disk.started_at) * 1000}


def start_up():
    began = time.monotonic()
    subprocess.run([swarm.PROGRAM, "--version"], stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, check=False)
    return (time.monotonic() - began) * 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=measure.size, default=400 << 20, help="bytes; 400M without")
    parser.add_argument("--runs", type=int, default=15, help="rounds; 15 without")
    parser.add_argument("--rtt", default="0,40", help="milliseconds there and back; 0,40 without")
    parser.add_argument("--folder", default="/dev/shm", help="a tmpfs without")
    parser.add_argument("--json", help="a file for every single figure, one object a line")
    options = parser.parse_args()
    measure.describe_machine()
    measure.say_load()
    table = measure.Table(options.json)
    with tempfile.TemporaryDirectory(prefix="swarm-first-", dir=options.folder) as scratch:
        path = os.path.join(scratch, "seed", "disk.img")
        measure.fill(path, options.size)
        torrent = os.path.join(scratch, "disk.torrent")
        swarm.create(path, torrent, "v2", "64K")
        for rtt in map(int, options.rtt.split(",")):
            with wan.Network(2, rtt, 0, scratch) as net, disks.seed(
                    net, "swarm", torrent, os.path.dirname(path), scratch) as seed:
                link = node.link(seed.wait("started"))
                for _ in range(options.runs):
                    table.add("start of the program", **{"offered ms": start_up(), "first byte ms": 0})
                    for name, what in (("torrent", torrent), ("link", link)):
                        try:
                            table.add(f"{name}, {net.title}", **once(net, what, scratch))
                        except (RuntimeError, OSError, nbd.Error) as error:
                            print(f"{name}: FAILED: {error}", file=sys.stderr)
    print(f"\nFirst verified byte of {options.size >> 20} MiB, {options.runs} rounds")
    table.show()


main()
