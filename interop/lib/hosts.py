"""Hosts with people on them, each a network namespace and a home folder of its own: on one bridge (lan.py),
behind one router without multicasts, or behind a router with NAT each. And what people do who share a
folder by its key. Call isolated() before."""
import os
import shutil
import signal
import subprocess
import time

import contents
import lan
import node
from lan import ip
from swarm import PROGRAM

MIB = 1 << 20
# Seconds for what should take one or two, on a machine that does a lot besides.
PATIENCE = 40


class Host:
    """Somebody at a machine: our program with no state or address named."""

    def __init__(self, namespace, home, address):
        self.namespace, self.home, self.address = namespace, home, address
        os.makedirs(home, exist_ok=True)
        self.prefix = ["nsenter", f"--net=/run/netns/{namespace}", "env", "-u", "XDG_DATA_HOME",
                       f"HOME={home}"]

    def seed(self, path, *options):
        return node.Node("seed", path, *options, prefix=self.prefix, cwd=self.home)

    def join(self, link, *options):
        return node.Node("join", link, *options, prefix=self.prefix, cwd=self.home)

    def start_anew(self):
        """Forgets all, as a machine that was never used."""
        shutil.rmtree(self.home)
        os.makedirs(self.home)

    def run(self, *words):
        return subprocess.run([*self.prefix, PROGRAM, *words], cwd=self.home, capture_output=True,
                              timeout=60, check=False)

    def folder(self, version=None, name="data"):
        return os.path.join(self.home, name if version is None else f"{name}@{version}")

    def state(self):
        return os.path.join(self.home, ".local/share/swarm")


def on_a_bridge(count, home):
    """Hosts with nothing between them."""
    lan.make(count)
    return [Host(f"h{number}", f"{home}/h{number}", lan.address(number))
            for number in range(1, count + 1)]


def _namespaces(*names):
    os.makedirs("/run/netns", exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run/netns"], check=True)
    for each in names:
        ip("netns", "add", each)
        ip("-n", each, "link", "set", "lo", "up")


def _cable(left, left_link, left_address, right, right_link, right_address):
    """A link between two namespaces, with an address and prefix length at each end."""
    ip("link", "add", left_link, "netns", left, "type", "veth", "peer", "name", right_link, "netns",
       right)
    for namespace, link, address in ((left, left_link, left_address),
                                     (right, right_link, right_address)):
        ip("-n", namespace, "addr", "add", address, "dev", link)
        ip("-n", namespace, "link", "set", link, "up")


def routed(count, home):
    """Hosts in networks of their own, and a router that passes on what is for one address."""
    _namespaces("router", *(f"h{number}" for number in range(1, count + 1)))
    ip("netns", "exec", "router", "sysctl", "-qw", "net.ipv4.ip_forward=1")
    hosts = []
    for number in range(1, count + 1):
        _cable(f"h{number}", "eth0", f"10.80.{number}.2/24", "router", f"r{number}",
               f"10.80.{number}.1/24")
        ip("-n", f"h{number}", "route", "add", "default", "via", f"10.80.{number}.1")
        hosts.append(Host(f"h{number}", f"{home}/h{number}", f"10.80.{number}.2"))
    return hosts


RULES = """
table inet filter {
  chain forward {
    type filter hook forward priority 0; policy drop;
    ct state established,related accept
    iifname "inside" accept
    jump miniupnpd
  }
  chain miniupnpd { }
  chain prerouting { type nat hook prerouting priority -100; jump prerouting_miniupnpd; }
  chain postrouting {
    type nat hook postrouting priority 100;
    jump postrouting_miniupnpd
    oifname "outside" masquerade random
  }
  chain prerouting_miniupnpd { }
  chain postrouting_miniupnpd { }
}
"""
DAEMON = """ext_ifname=outside
listening_ip=inside
http_port=5000
ipv6_disable=yes
enable_natpmp=yes
enable_upnp=yes
secure_mode=yes
system_uptime=no
uuid=11111111-2222-3333-4444-55555555555%d
upnp_table_name=filter
upnp_nat_table_name=filter
allow 1024-65535 192.168.0.0/16 1024-65535
deny 0-65535 0.0.0.0/0 0-65535
"""


class Routers:
    """Hosts behind a router with NAT each, and one host outside; all routers at one network outside.
    `hosts` are those inside, `outside` the other. The routers map ports while a `with` lasts."""

    def __init__(self, count, home):
        self.home, self.daemons = home, []
        numbers = range(1, count + 1)
        _namespaces("outside", *(f"h{number}" for number in numbers),
                    *(f"nat{number}" for number in numbers))
        ip("-n", "outside", "link", "add", "net", "type", "bridge", "mcast_snooping", "0")
        # miniupnpd takes addresses of the ranges for documentation for no way out.
        ip("-n", "outside", "addr", "add", "193.0.77.100/24", "dev", "net")
        ip("-n", "outside", "link", "set", "net", "up")
        self.outside, self.hosts = Host("outside", f"{home}/outside", "193.0.77.100"), []
        for number in numbers:
            router, host, inner = f"nat{number}", f"h{number}", f"192.168.{number}"
            _cable(host, "eth0", f"{inner}.2/24", router, "inside", f"{inner}.1/24")
            ip("-n", host, "route", "add", "default", "via", f"{inner}.1")
            ip("link", "add", "outside", "netns", router, "type", "veth", "peer", "name", router,
               "netns", "outside")
            ip("-n", "outside", "link", "set", router, "master", "net", "up")
            ip("-n", router, "addr", "add", f"193.0.77.{number}/24", "dev", "outside")
            ip("-n", router, "link", "set", "outside", "up")
            ip("netns", "exec", router, "sysctl", "-qw", "net.ipv4.ip_forward=1")
            subprocess.run(["ip", "netns", "exec", router, "nft", "-f", "-"], input=RULES, text=True,
                           check=True)
            self.hosts.append(Host(host, f"{home}/{host}", f"{inner}.2"))

    def mapped(self, number):
        """What the router of that host lets in: the rules, one a line."""
        found = subprocess.run(["ip", "netns", "exec", f"nat{number}", "nft", "list", "chain", "inet",
                                "filter", "prerouting_miniupnpd"], capture_output=True, text=True,
                               check=True).stdout
        return [line.strip() for line in found.splitlines() if "dnat" in line]

    def __enter__(self):
        for number in range(1, len(self.hosts) + 1):
            path = f"{self.home}/miniupnpd{number}"
            with open(path + ".conf", "w", encoding="ascii") as file:
                file.write(DAEMON % number)
            self.daemons.append(subprocess.Popen(
                ["ip", "netns", "exec", f"nat{number}", "miniupnpd", "-d", "-f", path + ".conf", "-P",
                 path + ".pid"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        for number in range(1, len(self.hosts) + 1):
            wait_for(lambda at=number: ":5000" in subprocess.run(
                ["ip", "netns", "exec", f"nat{at}", "ss", "-lnt"], capture_output=True, text=True,
                check=True).stdout, 5)
        return self

    def __exit__(self, *_):
        for each in self.daemons:
            each.kill()
            each.wait()


def wait_for(holds, seconds=PATIENCE):
    """What `holds` says at last."""
    deadline = time.monotonic() + seconds
    while True:
        found = holds()
        if found or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


def make_data(host):
    """Version 1: a large file, some small ones, nested folders. Returns a copy that nobody touches."""
    path = contents.make(host.home, 12)
    kept = os.path.join(host.home, "kept1")
    shutil.copytree(path, os.fsencode(kept))
    return kept


def change_data(host, mark=b"x"):
    """1 MiB in the middle of the large file, a file of 1 MiB that is new, one that is gone. Returns a
    copy."""
    path = host.folder()
    with open(os.path.join(path, "large"), "r+b") as file:
        file.seek(5 * MIB)
        file.write(mark * MIB)
    with open(os.path.join(path, "new" + mark.decode()), "wb") as file:
        file.write(os.urandom(MIB))
    if os.path.exists(os.path.join(path, "small/1")):
        os.remove(os.path.join(path, "small/1"))
    kept = os.path.join(host.home, "kept" + mark.decode())
    shutil.copytree(path, kept)
    return kept


def first_peer(joining, seconds=PATIENCE):
    """Seconds from its start until a peer is connected; None if none is."""
    event = joining.wait("peer", seconds, lambda each: each["state"] == "connected")
    return event and event["seconds"]


def has(host, version, kept, seconds=PATIENCE):
    """What differs between that version on a host and a copy of what was published; None for nothing.
    Waits for it."""
    folder = host.folder(version)
    wait_for(lambda: os.path.isdir(folder) and not _differs(kept, folder), seconds)
    return _differs(kept, folder) if os.path.isdir(folder) else f"no {folder}: {os.listdir(host.home)}"


def _differs(kept, folder):
    try:
        return contents.difference(os.fsencode(kept), os.fsencode(folder))
    except OSError as error:  # a file that is being put there
        return str(error)


def arrives(report, name, joining, host, version, kept, seconds=PATIENCE):
    """Checks that a version comes, byte for byte, and the name without number leads to it."""
    wrong = has(host, version, kept, seconds)
    if report.check(f"{name}: version {version}", wrong is None, f"{wrong}; {joining.said()}"):
        report.check(f"{name}: the newest is at hand",
                     wait_for(lambda: os.path.realpath(host.folder())
                              == os.path.realpath(host.folder(version)), 5),
                     os.path.realpath(host.folder()))
    return wrong is None


def share_and_follow(report, name, publisher, followers, late, options, most=30, look=None):
    """Issue 4, "Done when": a folder is seeded, others join by its link alone, it is changed and
    published, they follow; then its publisher is gone and somebody joins by the same link.

    `options` of the program are the same for all. `most` is how many seconds a first peer may take; `look`
    is called while all of them run.
    """
    first = make_data(publisher)
    running = []

    def runs(started):
        running.append(started)
        return started
    try:
        seed = runs(publisher.seed("data", *options))
        started = seed.wait("started", PATIENCE)
        if not report.check(f"{name}: seeds", started, seed.said()):
            return
        link = started["magnet"]
        joins = [runs(host.join(link, *options)) for host in followers]
        for number, (host, joining) in enumerate(zip(followers, joins), 2):
            who = f"{name}: host {number}"
            seconds = first_peer(joining)
            report.check(f"{who}: a first peer", seconds is not None and seconds < most,
                         f"{seconds}, {joining.said()}")
            if arrives(report, who, joining, host, 1, first):
                report.note(f"{who}: first peer after {seconds:.2f} s, all after "
                            f"{joining.wait('finished')['seconds']:.2f} s")
        if look:
            look()
        second = change_data(publisher)
        published = publisher.run("publish", "data", "--message", "changed")
        now = time.monotonic()
        report.check(f"{name}: publishes", published.returncode == 0, repr(published.stderr))
        for number, (host, joining) in enumerate(zip(followers, joins), 2):
            who = f"{name}: host {number} follows"
            if arrives(report, who, joining, host, 2, second):
                came = (node.downloaded(joining.fresh_status()) or 0)
                report.note(f"{who} after {time.monotonic() - now:.1f} s, {came / MIB:.1f} MiB")
                report.check(f"{who}: only what changed came", came < 4 * MIB, f"{came}")
            report.check(f"{who}: version 1 is there yet", has(host, 1, first, 1) is None)
        report.equal(f"{name}: the publisher ends well", seed.stop(), 0)
        # As somebody who has the link from the first day.
        joining = runs(late.join(link, *options))
        who = f"{name}: a late host, without the publisher"
        seconds = first_peer(joining)
        report.check(f"{who}: a first peer", seconds is not None and seconds < most,
                     f"{seconds}, {joining.said()}")
        if arrives(report, who, joining, late, 2, second):
            report.note(f"{who}: first peer after {seconds:.2f} s, version 2 after "
                        f"{joining.age():.2f} s")
        for each in running:
            if each.is_alive():
                report.check(f"{name}: ends well", each.stop(signal.SIGTERM) in node.STOPPED,
                             each.said())
    finally:
        for each in running:
            if each.is_alive():
                each.kill()
