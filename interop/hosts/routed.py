"""Hosts in networks of their own, which no multicast leaves, and one node of the DHT that all know of: issue
4's "Done when" by the DHT alone, with our node as the first, and with libtorrent's; and by a key that is
all that somebody was told."""
import os
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from isolate import isolated

isolated()
import hosts
import node
from dht_nodes import OURS
from lan import Program, ip
from report import Report

report = Report()
THEIRS = """
import sys, libtorrent as lt
sys.path.insert(0, sys.argv[1])
import dht_nodes
node = dht_nodes.Theirs(sys.argv[2], 6881)
print("started", flush=True)
sys.stdin.read()
"""


def by_key_alone(options):
    """The key is all: neither an infohash nor a name. The joiner is there before the seed."""
    early, publisher = machines[2], machines[0]
    os.makedirs(publisher.folder(name="other"))
    for number in range(3):
        with open(os.path.join(publisher.folder(name="other"), str(number)), "wb") as file:
            file.write(os.urandom(hosts.MIB))
    published = publisher.run("publish", "other")
    key = next(iter(set(os.listdir(publisher.state() + "/keys")) - seen), None)
    if not report.check("publishes without seeding", published.returncode == 0 and key,
                        repr(published.stderr)):
        return
    with early.join(key, *options) as joining:
        report.check("by key: begins", node.listening(joining, hosts.PATIENCE), joining.said())
        with publisher.seed("other", *options) as seed:
            report.check("by key: seeds", node.listening(seed, hosts.PATIENCE), seed.said())
            begun = seed.started_at
            finished = joining.wait("finished", hosts.PATIENCE)
            if report.check("by key alone, before there is a seed", finished,
                            joining.said() + seed.said()):
                seconds = joining.started_at + finished["seconds"] - begun
                report.note(f"by key alone, {seconds:.2f} s after the seed began")
                wrong = hosts.contents.difference(
                    os.fsencode(publisher.folder(name="other")),
                    os.fsencode(early.folder(1, name="other")))
                report.check("by key alone: bytes", wrong is None, wrong)


def moved(options):
    """A seed whose machine gets another address: who joins then finds it there, and not a quarter of an hour
    later."""
    publisher, late = machines[0], machines[1]
    late.start_anew()
    key = next(iter(set(os.listdir(publisher.state() + "/keys")) - seen), None)
    with publisher.seed("other", *options) as seed:
        report.check("moved: seeds", node.listening(seed, hosts.PATIENCE), seed.said())
        # Until it is announced where it is first.
        time.sleep(3)
        move(publisher, "10.80.1.2", "10.80.1.77")
        time.sleep(3)
        with late.join(key, *options) as joining:
            finished = joining.wait("finished", hosts.PATIENCE)
            if report.check("moved: found at the new address", finished,
                            joining.said() + seed.said()):
                report.note(f"found after the move, {finished['seconds']:.2f} s after the join began")
        move(publisher, "10.80.1.77", "10.80.1.2")


def move(host, old, new):
    """Another address in the same network."""
    ip("-n", host.namespace, "addr", "del", f"{old}/24", "dev", "eth0")
    ip("-n", host.namespace, "addr", "add", f"{new}/24", "dev", "eth0")
    ip("-n", host.namespace, "route", "replace", "default", "via", "10.80.1.1")


if not report.check("there is a program", os.access(OURS, os.X_OK),
                    f"none at {OURS}: make interop builds it"):
    report.finish()
with tempfile.TemporaryDirectory(prefix="swarm-routed-") as home:
    machines = hosts.routed(6, home)
    *_, bootstrap, theirs = machines
    place = f"{bootstrap.address}:6881"
    with Program([*bootstrap.prefix, OURS, place]):
        hosts.share_and_follow(report, "by our DHT", machines[0], machines[1:3], machines[3],
                               ["--dht-node", place])
        seen = set(os.listdir(machines[0].state() + "/keys"))
        by_key_alone(["--dht-node", place])
        moved(["--dht-node", place])
    for each in machines[:4]:
        each.start_anew()
    place = f"{theirs.address}:6881"
    with Program([*theirs.prefix, sys.executable, "-W", "ignore", "-c", THEIRS,
                  os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"),
                  theirs.address]) as libtorrent:
        report.check("libtorrent starts", libtorrent.wait(lambda line: line == "started"),
                     libtorrent.said())
        hosts.share_and_follow(report, "by libtorrent's DHT", machines[0], machines[1:3], machines[3],
                               ["--dht-node", place])
report.finish()
