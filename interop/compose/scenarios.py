"""What people do, on eight machines: a publisher, two who join, a node of the DHT that all know, a stock
libtorrent, one that boots a virtual machine, and two in a room of their own without any DHT.

scenarios.py makes the machines itself, as network namespaces. In the service `scenarios` of
docker-compose.test.yml, where COMPOSE_SHARED is a folder that all containers have, it uses those containers
(agent.py) instead. The machine that boots is lib/machine.py's, or COMPOSE_IMAGE.
"""
import os
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
SHARED = os.environ.get("COMPOSE_SHARED")
IMAGE = os.environ.get("COMPOSE_IMAGE")
if not SHARED:
    import machine
    machine.isolated()
    IMAGE = machine.image()
import hosts
import lan
import node
from report import Report
from swarm import PROGRAM

# Name of each, its address; docker-compose.test.yml has the same.
WIDE = {"bootstrap": "10.77.1.10", "publisher": "10.77.1.11", "joiner1": "10.77.1.12",
        "joiner2": "10.77.1.13", "stock": "10.77.1.14", "booter": "10.77.1.15"}
ROOM = {"room1": "10.77.2.11", "room2": "10.77.2.12"}
DHT = f"{WIDE['bootstrap']}:6881"
# Nobody in the wide network hears multicasts of ours, and nobody in the room has a DHT.
BY_DHT = ("--no-lan", "--no-mapping", "--dht-node", DHT)
BY_ROOM = ("--no-dht", "--no-mapping")
report = Report()


class Container(hosts.Host):
    """A machine whose programs an agent starts; its home is in the folder that all have."""

    def __init__(self, name, home, address):
        self.home, self.address = home, address
        os.makedirs(home, exist_ok=True)
        self.prefix = [sys.executable, os.path.join(HERE, "remote.py"),
                       os.path.join(SHARED, "agents", name + ".sock"), home]


def namespaces(home):
    """The machines as network namespaces: two networks, a bridge each."""
    os.makedirs("/run/netns", exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run/netns"], check=True)
    made = {}
    for bridge, members in (("wide", WIDE), ("room", ROOM)):
        lan.ip("link", "add", bridge, "type", "bridge", "mcast_snooping", "0")
        lan.ip("link", "set", bridge, "up")
        for name, address in members.items():
            lan.ip("netns", "add", name)
            lan.ip("link", "add", f"v-{name}", "type", "veth", "peer", "name", "eth0", "netns", name)
            lan.ip("link", "set", f"v-{name}", "master", bridge, "up")
            lan.ip("-n", name, "link", "set", "lo", "up")
            lan.ip("-n", name, "addr", "add", address + "/24", "dev", "eth0")
            lan.ip("-n", name, "link", "set", "eth0", "up")
            made[name] = hosts.Host(name, os.path.join(home, name), address)
    return made


def program(host, *words):
    """A program on a host, with its output in pipes; killed at the end of a `with`."""
    return subprocess.Popen([*host.prefix, *words], cwd=host.home, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


class Daemon:
    """`swarm daemon` as the node of the DHT that all know, answering when the `with` begins."""

    def __init__(self, host):
        self.host = host
        self.sockets = os.path.join(host.home, "sockets")

    def answers(self):
        return self.host.run("ls", "--sockets", self.sockets).returncode == 0

    def __enter__(self):
        # It knows no other node: those who come are all there are.
        self.process = program(
            self.host, PROGRAM, "daemon", "--state", os.path.join(self.host.home, "state"), "--sockets",
            self.sockets, "--listen", DHT, "--no-lan", "--no-mapping", "--dht-node",
            f"{WIDE['publisher']}:6881")
        report.check("the daemon answers", hosts.wait_for(self.answers), self.said())
        return self

    def said(self):
        if self.process.poll() is None:
            return ""
        return self.process.stderr.read()

    def __exit__(self, *_):
        self.process.terminate()
        try:
            report.equal("the daemon ends well", self.process.wait(30), 0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            report.check("the daemon ends", False)


def by_dht():
    """A link, a key and one node of the DHT: fetched, followed, outlived. Meanwhile a stock client fetches
    the first version by the same link."""
    def stock():
        link = node.link(published["started"])
        folder = os.path.join(stock_host.home, "got")
        os.makedirs(folder, exist_ok=True)
        began = time.monotonic()
        client = program(stock_host, "/usr/bin/python3", "-W", "ignore", os.path.join(HERE, "stock.py"),
                         link, folder, DHT)
        try:
            line = client.stdout.readline().strip()
            report.equal("a stock libtorrent fetches by our link and the DHT", line, "finished")
            report.note(f"a stock libtorrent: all after {time.monotonic() - began:.1f} s")
            wrong = hosts.contents.difference_soon(
                os.fsencode(os.path.join(publisher.home, "kept1")), os.fsencode(
                    os.path.join(folder, "data")), others_leavings=True)
            report.check("a stock libtorrent: bytes", wrong is None, wrong)
        finally:
            client.kill()
            client.wait()
    publisher, stock_host = all_hosts["publisher"], all_hosts["stock"]
    published = {}
    original = publisher.seed

    def seed(path, *options):
        running = original(path, *options)
        published["started"] = running.wait("started", hosts.PATIENCE) or {}
        return running
    publisher.seed = seed
    hosts.share_and_follow(
        report, "by the DHT", publisher, [all_hosts["joiner1"], all_hosts["joiner2"]],
        all_hosts["booter"], BY_DHT, look=stock)


def in_a_room():
    """Two machines with nothing but multicasts."""
    first, second = all_hosts["room1"], all_hosts["room2"]
    kept = hosts.make_data(first)
    with first.seed("data", *BY_ROOM) as seed:
        started = seed.wait("started", hosts.PATIENCE) or {}
        with second.join(node.link(started) or "none", *BY_ROOM) as joining:
            hosts.arrives(report, "in a room", joining, second, 1, kept)
            changed = hosts.change_data(first)
            report.check("in a room: publishes", first.run(
                "publish", "data", "--no-spread").returncode == 0)
            hosts.arrives(report, "in a room", joining, second, 2, changed)


def boots():
    """A virtual machine from the swarm, found by the DHT alone."""
    publisher, booter = all_hosts["publisher"], all_hosts["booter"]
    with publisher.seed(IMAGE, "--name", "image", *BY_DHT) as seed:
        started = seed.wait("started", hosts.PATIENCE) or {}
        began = time.monotonic()
        guest = program(booter, PROGRAM, "boot", node.link(started) or "none", *BY_DHT, "--accel", "tcg",
                        "--append", "swarm.do=python")
        try:
            said, errors = guest.communicate(timeout=150)
        except subprocess.TimeoutExpired:
            guest.kill()
            said, errors = guest.communicate()
        report.check("boots: its prompt", "PROMPT at" in said, said[-400:] + errors[-400:])
        report.check("boots: python3", '{"answer": 42}' in said, said[-400:])
        report.equal("boots: status", guest.returncode, 0)
        report.check("boots: what it cost", "root.ext4" in errors, errors[-400:])
        report.note(f"booted, ran and ended in {time.monotonic() - began:.1f} s")


def run(folder):
    global all_hosts
    if SHARED:
        all_hosts = {name: Container(name, os.path.join(SHARED, "hosts", name), address)
                     for name, address in (WIDE | ROOM).items()}
    else:
        all_hosts = namespaces(folder)
    with Daemon(all_hosts["bootstrap"]) as daemon:
        by_dht()
        boots()
        report.check("the daemon answers to the end", daemon.answers(), daemon.said())
    in_a_room()


all_hosts = {}
if SHARED:
    run(SHARED)
else:
    with tempfile.TemporaryDirectory(prefix="swarm-scenarios-") as scratch:
        run(scratch)
report.finish()
