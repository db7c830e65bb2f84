"""Many torrents that nobody asks for, seeded by one process: start-up, memory, and CPU while idle,
of our node (swarm-bench idle) and libtorrent in turn. Both take the content for right.

Then 100 of them in a private DHT of 30 nodes, all at the same time: CPU, memory and packets, counted by
the kernel, in the first minute and in each of those that follow. Ours follows a dataset for each, with a
swarm and a head of its own, which libtorrent cannot. Both tell the DHT of everything every 15 minutes:
only --minutes 16 or more are what it costs for long.

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
import private_dht
import trees
from bencode import encode
from packets import Packets

# Adds all torrents of a folder in seed mode, says so, and stays.
LIBTORRENT = """
import json, sys, time
import libtorrent as lt
folder, count = sys.argv[1], int(sys.argv[2])
listen, node = (sys.argv + ["10.99.0.2:6902", ""])[3:5]
session = lt.session({"listen_interfaces": listen, "outgoing_interfaces": listen.split(":")[0],
    "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False, "enable_dht": node != "",
    "dht_bootstrap_nodes": node, "dht_restrict_routing_ips": False,
    "dht_restrict_search_ips": False, "dht_prefer_verified_node_ids": False,
    "dht_enforce_node_id": False, "active_dht_limit": count})
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


def make(folder, count, source=""):
    """Torrents of a file of three pieces each, made by hand, which is fast. With another source they are
    others."""
    for number in range(count):
        torrent = handmade.torrent("v2", [([b"%d" % number], 80000)])
        # A file alone: the name of the torrent is its own.
        torrent[b"info"][b"name"] = b"%d" % number
        if source:
            torrent[b"info"][b"source"] = source.encode()
        with open(os.path.join(folder, f"{number}.torrent"), "wb") as file:
            file.write(encode(torrent))
        trees.write(os.fsencode(folder), b"%d" % number, trees.content([b"%d" % number], 80000))


def once(command, seconds):
    started = time.monotonic()
    process = start(command)
    try:
        wall = time.monotonic() - started
        start_up = measure.cpu(process.pid)
        time.sleep(seconds)
        idle = measure.cpu(process.pid) - start_up
        peak, anonymous = measure.memory(process.pid)
        return {"start s": wall, "start CPU s": start_up, "MiB": peak, "anon MiB": anonymous,
                f"CPU s in {seconds}": idle}
    finally:
        process.kill()
        process.wait()


def start(command):
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    if not line or json.loads(line).get("event") != "ready":
        process.kill()
        raise RuntimeError(f"it does not start: {line}")
    return process


def in_a_dht(base, options):
    """One case for each, at the same time: they share the network, and no torrents."""
    table = measure.Table(options.json)
    with tempfile.TemporaryDirectory(prefix="swarm-idle-", dir=base) as scratch, \
            private_dht.Network() as network:
        network.settle()
        cases, begun = {}, {}
        try:
            for name in ["swarm", *(f"libtorrent {each}" for each in clients.PYTHONS)]:
                folder = os.path.join(scratch, name.replace(" ", "-"))
                os.mkdir(folder)
                make(folder, options.datasets, name)
                place = network.place()
                if name == "swarm":
                    command = [options.bench, "idle", folder, os.path.join(folder, "state")]
                    os.mkdir(command[-1])
                else:
                    command = [clients.PYTHONS[name.split()[1]], "-W", "ignore", "-c", LIBTORRENT,
                               folder, str(options.datasets)]
                cases[name] = (place.split(":")[0], [*command, place, network.bootstrap])
            Packets([address for address, _ in cases.values()])
            for name, (_, command) in cases.items():
                begun[name] = start(command)
            for title, minutes in (("first minute", 1), ("a minute then", options.minutes - 1)):
                for name, figures in stretch(cases, begun, minutes).items():
                    table.add(f"{name}, {title}", **figures)
        finally:
            Packets.end()
            for each in begun.values():
                each.kill()
                each.wait()
    print(f"\n{options.datasets} idle torrents in a DHT, ours datasets, {options.minutes} minutes; each figure "
          "a minute")
    table.show()


def stretch(cases, begun, minutes):
    """What each spent in these minutes, for one of them."""
    def account():
        return {name: Packets.of(cases[name][0]) | {"cpu": measure.cpu(process.pid)}
                for name, process in begun.items()}
    before = account()
    time.sleep(60 * minutes)
    after = account()
    found = {}
    for name, process in begun.items():
        spent = {key: (after[name][key] - before[name][key]) / minutes for key in after[name]}
        found[name] = {
            "sent": spent["sent"], "received": spent["received"],
            "KiB both": (spent["sent bytes"] + spent["received bytes"]) / 1024,
            "CPU ms": spent["cpu"] * 1e3, "MiB": measure.memory(process.pid)[0],
            "anon MiB": measure.memory(process.pid)[1]}
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torrents", type=int, default=1000, help="how many; 1000 without")
    parser.add_argument("--size", help="nothing here; the other benches know it")
    parser.add_argument("--seconds", type=int, default=10, help="how long idle; 10 without")
    parser.add_argument("--runs", type=int, default=3, help="rounds; 3 without")
    parser.add_argument("--datasets", type=int, default=100, help="in the DHT; 100 without")
    parser.add_argument("--minutes", type=int, default=3, help="in the DHT; 3 without, 0 for none")
    parser.add_argument("--folder", default="/dev/shm", help="a tmpfs without")
    parser.add_argument("--bench", default=private_dht.BENCH)
    parser.add_argument("--json", help="a file for every single figure, one object a line")
    options = parser.parse_args()
    measure.describe_machine()
    measure.say_load()
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
    if options.minutes > 1:
        in_a_dht(options.folder, options)


main()
