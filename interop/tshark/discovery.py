"""What we send to find others and to be found, as Wireshark reads it: the DHT, multicast DNS and local
service discovery, by IPv4 and IPv6; PCP, NAT-PMP and UPnP to a router. Nothing is malformed."""
import collections
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from isolate import isolated

isolated()
import hosts
import lan
import natbox
import node
from dht_nodes import OURS
from lan import Capture, Program
from report import Report

report = Report()
counts = collections.Counter()
# Wireshark's number of the lowest severity that counts.
WARNING = 0x600000
# Probes and announcements repeat themselves, as RFC 6762 wants it; all have the id 0.
REPEATED = "retransmission. Original"
# Ports that it does not know by themselves. Local service discovery is HTTP by UDP, as SSDP is.
DECODED = ["-d", "udp.port==6881,bt-dht", "-d", "udp.port==6771,ssdp"]


def is_ours_alone(name, capture, ours, wanted):
    """No complaint of packets that `ours`, a display filter, picks; and some of each kind: `wanted` has
    filters."""
    for each in wanted:
        seen = len(capture.read(f"({ours}) && {each}", "frame.number"))
        counts[f"{name}: {each}"] = seen
        report.check(f"{name}: the dissector saw {each}", seen > 0)
    # How a connection went is the kernel's: a reset too, which says only that a reader had enough.
    transport = "tcp.analysis.flags || tcp.connection.rst"
    bad = capture.read(
        f"({ours}) && (_ws.malformed || _ws.expert.severity >= {WARNING}) && !({transport})",
        "frame.number", "frame.protocols", "_ws.expert.message")
    bad = [each for each in bad if REPEATED not in each[-1]]
    report.check(f"{name}: nothing is malformed", not bad, f"{len(bad)}: {bad[:3]}")


def router(scratch):
    """Ports are mapped by each of what routers understand, renewed in nothing, and removed."""
    natbox.build(scratch)
    prefix = ["ip", "netns", "exec", natbox.LAN]
    capture = Capture(os.path.join(scratch, "router"), natbox.LAN_LINK, prefix)
    with capture:
        for service, manners in (("PCP", {}), ("NAT-PMP", {"upnp": False, "pcp": False}),
                                 ("UPnP", {"natpmp": False}), ("PCP", {"ipv6": True})):
            with natbox.Daemon(**manners), natbox.Mapper("TCP:6881", "UDP:6881") as mapper:
                where = r"at \[" if manners.get("ipv6") else r"at \d"
                report.check(f"{service}, {manners}: mapped",
                             mapper.wait(rf"TCP 6881: mapped by {service} {where}", 20),
                             mapper.said())
                mapper.stop()
    ours = f"(ip.src == {natbox.LAN_ADDRESS} || (ipv6 && eth.src == {hardware(prefix)}))"
    is_ours_alone("to a router", capture, ours,
                  ["portcontrol", "nat-pmp", "ssdp", "http.request", "portcontrol && ipv6"])


def hardware(prefix):
    """The host's own Ethernet address."""
    said = subprocess.run([*prefix, "cat", f"/sys/class/net/{natbox.LAN_LINK}/address"],
                          capture_output=True, text=True, check=True)
    return said.stdout.strip()


def neighbours(scratch):
    """A dataset is shared, followed and changed in one room; the DHT by both families."""
    one, two, three = hosts.on_a_bridge(3, scratch)
    for number, each in enumerate((one, two, three), 1):
        lan.ip("-n", each.namespace, "addr", "add", f"fd77::{number}/64", "dev", "eth0", "nodad")
    places = [f"{three.address}:6881", "[fd77::3]:6881"]
    options = [word for each in places for word in ("--dht-node", each)]
    capture = Capture(os.path.join(scratch, "room"), more=DECODED)
    kept = hosts.make_data(one)
    with capture, Program([*three.prefix, OURS, places[0]]), Program(
            [*three.prefix, OURS, places[1]]), one.seed("data", *options) as seed:
        started = seed.wait("started", hosts.PATIENCE)
        if not report.check("seeds", started, seed.said()):
            return
        with two.join(started["dataset_key"], *options) as joining:
            hosts.arrives(report, "in a room", joining, two, 1, kept)
            second = hosts.change_data(one)
            report.equal("publishes", one.run("publish", "data").returncode, 0)
            hosts.arrives(report, "in a room", joining, two, 2, second)
            report.check("ends well", joining.stop() in node.STOPPED, joining.said())
        report.check("ends well", seed.stop() in node.STOPPED, seed.said())
    is_ours_alone("in a room", capture, "udp",
                  [f"{kind} && {family}" for kind in ("bt-dht", "mdns", "udp.dstport == 6771")
                   for family in ("ip", "ipv6")])
    texts = {bytes.fromhex(each[0].replace(":", "")).split(b"\r\n")[0] for each in
             capture.read("udp.dstport == 6771", "udp.payload")}
    report.equal("local service discovery: first lines", texts, {b"BT-SEARCH * HTTP/1.1"})
    methods = {each for line in capture.read("bt-dht", "bt-dht.bencoded.string")
               for each in line[0].split(",")}
    for each in ("find_node", "get_peers", "announce_peer", "get", "put"):
        report.check(f"the dissector saw {each}", each in methods)


for each in (OURS, natbox.PROGRAM):
    if not report.check("there is a program", os.access(each, os.X_OK),
                        f"none at {each}: make interop builds it"):
        report.finish()
with tempfile.TemporaryDirectory(prefix="swarm-tshark-") as folder:
    router(folder)
    neighbours(folder)
report.note(", ".join(f"{name}: {count}" for name, count in counts.items()))
report.finish()
