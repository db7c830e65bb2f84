"""Reads of a block device whose bytes are all here and in memory: 4 KiB here and there, one at a time and 32
at once, and 1 MiB one behind the other, 8 at once, by fio over a Unix socket. A node of ours that has
joined and has everything, nbdkit's file plugin, qemu-nbd. A file on a disk, not a tmpfs: nobody keeps
images there. CPU of the server for each GiB that it gave. In a network of its own: root. Asserts nothing.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../interop/lib"))
from isolate import isolated

isolated()
import disks
import measure
import node
import swarm
import wan

JOBS = {
    "4 KiB, depth 1": ("--rw=randread", "--bs=4k", "--iodepth=1"),
    "4 KiB, depth 32": ("--rw=randread", "--bs=4k", "--iodepth=32"),
    "1 MiB in order": ("--rw=read", "--bs=1m", "--iodepth=8"),
}


class Server(disks.Disk):
    """nbdkit or qemu-nbd, of a file; its words may have {file} and {socket}."""

    def __init__(self, net, scratch, words, file):
        super().__init__(net, scratch)
        self.run(*(each.format(file=file, socket=self.socket) for each in words.split()))


def joined(net, torrent, scratch):
    """A node of ours that has fetched all of it."""
    disk = disks.Ours(net, torrent, scratch, is_sparse=False)
    if not node.finished(disk.node, 120):
        raise RuntimeError(f"our node does not finish: {disk.node.said()}")
    return disk


def fio(disk, words, seconds):
    before = disk.cpu()
    result = subprocess.run(
        ["fio", "--name=reads", "--ioengine=nbd", f"--uri=nbd+unix:///?socket={disk.socket}",
         "--time_based", f"--runtime={seconds}", "--output-format=json", *words],
        capture_output=True, text=True, cwd=disk.folder, timeout=seconds + 60, check=False)
    if result.returncode or "{" not in result.stdout:
        raise RuntimeError(f"fio fails: {result.stderr[-300:]}")
    found = json.loads(result.stdout[result.stdout.index("{"):])["jobs"][0]["read"]
    return {"reads/s": found["iops"], "MB/s": found["bw_bytes"] / 1e6,
            "p99 us": found["clat_ns"]["percentile"]["99.000000"] / 1000,
            "CPU s a GiB": (disk.cpu() - before) / (found["io_bytes"] / 2**30)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=measure.size, default=400 << 20, help="bytes; 400M without")
    parser.add_argument("--runs", type=int, default=5, help="rounds; 5 without")
    parser.add_argument("--seconds", type=int, default=3, help="of each; 3 without")
    parser.add_argument("--folder", default="/var/tmp", help="on a disk; /var/tmp without")
    parser.add_argument("--only", help="words of the servers wanted")
    parser.add_argument("--json", help="a file for every single figure, one object a line")
    options = parser.parse_args()
    measure.describe_machine()
    measure.say_load()
    table = measure.Table(options.json)
    with tempfile.TemporaryDirectory(prefix="swarm-nbd-", dir=options.folder) as scratch, \
            wan.Network(2, 0, 0, scratch) as net:
        path = os.path.join(scratch, "seed", "disk.img")
        measure.fill(path, options.size)
        torrent = os.path.join(scratch, "disk.torrent")
        swarm.create(path, torrent, "v2", "64K")
        rivals = {"nbdkit file": "nbdkit -f -r -U {socket} file {file}",
                  "qemu-nbd": "qemu-nbd -t -r -e 32 -f raw -k {socket} {file}"}
        for name, words in list(rivals.items()):
            if not shutil.which(words.split()[0]):
                print(f"SKIPPED: {name}: no {words.split()[0]} here", flush=True)
                del rivals[name]
        servers = {}
        try:
            with disks.seed(net, "swarm", torrent, os.path.dirname(path), scratch):
                servers["swarm"] = joined(net, torrent, scratch)
            for name, words in rivals.items():
                servers[name] = Server(net, scratch, words, path).wait()
            if options.only:
                servers = {name: each for name, each in servers.items()
                           if any(word in name for word in options.only.split(","))}
            for _ in range(options.runs):
                for job, words in JOBS.items():
                    for name, server in servers.items():
                        try:
                            table.add(f"{name}, {job}", **fio(server, words, options.seconds))
                        except (RuntimeError, OSError) as error:
                            print(f"{name}, {job}: FAILED: {error}", file=sys.stderr)
        finally:
            for each in servers.values():
                each.__exit__()
    print(f"\n{options.size >> 20} MiB in memory, {options.runs} rounds of {options.seconds} s")
    table.show()
    for job in JOBS:
        ours, others = f"swarm, {job}", [f"{name}, {job}" for name in rivals]
        others = [each for each in others if each in table.rows]
        if ours in table.rows and others:
            best = max(others, key=lambda each: table.median(each, "MB/s"))
            print(f"{ours}: {table.median(ours, 'MB/s') / table.median(best, 'MB/s'):.2f} times as many "
                  f"as {best}, the faster")


main()
