"""Many torrents that nobody asks for, seeded by one process: start-up, memory, and CPU while idle,
of our node (swarm-bench idle) and libtorrent in turn. Both take the content for right.

In a network of its own: root. Asserts nothing.
"""
import argparse
import json
import os
import subprocess
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
import trees
from bencode import encode

# Adds all torrents of a folder in seed mode, says so, and stays.
LIBTORRENT = """
import json, sys, time
import libtorrent as lt
folder, count = sys.argv[1], int(sys.argv[2])
session = lt.session({"listen_interfaces": "10.99.0.2:6902", "enable_dht": False,
    "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False})
started = time.monotonic()
for number in range(count):
    one = lt.add_torrent_params()
    one.ti = lt.torrent_info(f"{folder}/{number}.torrent")
    one.save_path = folder
    one.flags |= lt.torrent_flags.seed_mode
    one.flags &= ~lt.torrent_flags.auto_managed
    one.flags &= ~lt.torrent_flags.paused
    session.add_torrent(one)
while True:
    states = [each.status() for each in session.get_torrents()]
    if len(states) == count and all(each.is_seeding for each in states):
        break
    time.sleep(0.05)
print(json.dumps({"event": "ready", "torrents": count}), flush=True)
time.sleep(3600)
"""


def make(folder, count):
    """Torrents of a file of three pieces each, made by hand, which is fast."""
    for number in range(count):
        torrent = handmade.torrent("v2", [([b"%d" % number], 80000)])
        # A file alone: the name of the torrent is its own.
        torrent[b"info"][b"name"] = b"%d" % number
        with open(os.path.join(folder, f"{number}.torrent"), "wb") as file:
            file.write(encode(torrent))
        trees.write(os.fsencode(folder), b"%d" % number, trees.content([b"%d" % number], 80000))


def once(command, seconds):
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        wall = time.monotonic() - started
        if not line or json.loads(line).get("event") != "ready":
            raise RuntimeError(f"it does not start: {line}")
        start_up = measure.cpu(process.pid)
        time.sleep(seconds)
        idle = measure.cpu(process.pid) - start_up
        peak, anonymous = measure.memory(process.pid)
        return {"start s": wall, "start CPU s": start_up, "MiB": peak, "anon MiB": anonymous,
                f"CPU s in {seconds}": idle}
    finally:
        process.kill()
        process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torrents", type=int, default=1000, help="how many; 1000 without")
    parser.add_argument("--size", help="nothing here; the other benches know it")
    parser.add_argument("--seconds", type=int, default=10, help="how long idle; 10 without")
    parser.add_argument("--runs", type=int, default=3, help="rounds; 3 without")
    parser.add_argument("--folder", default="/dev/shm", help="a tmpfs without")
    parser.add_argument("--bench", default=os.path.join(HERE, "../.build/release/swarm-bench"))
    parser.add_argument("--json", help="a file for every single figure, one object a line")
    options = parser.parse_args()
    measure.describe_machine()
    table = measure.Table(options.json)
    with tempfile.TemporaryDirectory(prefix="swarm-idle-", dir=options.folder) as folder:
        make(folder, options.torrents)
        for number in range(options.runs):
            state = os.path.join(folder, f"state{number}")
            os.mkdir(state)
            cases = {"swarm": [options.bench, "idle", folder, state]}
            for version, python in clients.PYTHONS.items():
                cases[f"libtorrent {version}"] = [python, "-W", "ignore", "-c", LIBTORRENT, folder,
                                                  str(options.torrents)]
            for name, command in cases.items():
                try:
                    table.add(name, **once(command, options.seconds))
                except (RuntimeError, OSError) as error:
                    print(f"{name}: FAILED: {error}", file=sys.stderr)
    print(f"\n{options.torrents} idle torrents, {options.runs} rounds")
    table.show()


main()
