"""Hosts behind routers with NAT, one each, that map ports for whoever asks (miniupnpd), and outside a node of
the DHT: issue 4's "Done when" across all of them, and nothing stays mapped."""
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from isolate import isolated

isolated()
import hosts
import node
from dht_nodes import OURS
from lan import Program
from report import Report

report = Report()


def only_one_can_be_reached(options):
    """The joiner's router maps nothing; the publisher's does, and is connected to."""
    publisher, joiner = routers.hosts[0], routers.hosts[3]
    for each in (publisher, joiner):
        each.start_anew()
    kept = hosts.make_data(publisher)
    with publisher.seed("data", *options) as seed:
        started = seed.wait("started", hosts.PATIENCE)
        if not report.check("one is mapped: seeds", started, seed.said()):
            return
        with joiner.join(started["dataset_key"], *options, "--no-mapping") as joining:
            seconds = hosts.first_peer(joining)
            report.check("one is mapped: a first peer", seconds, joining.said())
            if hosts.arrives(report, "one is mapped", joining, joiner, 1, kept):
                report.note(f"one is mapped: first peer after {seconds or 0:.2f} s, all after "
                            f"{joining.wait('finished')['seconds']:.2f} s")
            report.check("one is mapped: only the publisher", not routers.mapped(4)
                         and len(routers.mapped(1)) == 2)
            report.check("one is mapped: ends well", joining.stop() in node.STOPPED, joining.said())


if not report.check("there is a program", os.access(OURS, os.X_OK),
                    f"none at {OURS}: make interop builds it"):
    report.finish()
with tempfile.TemporaryDirectory(prefix="swarm-nats-") as home:
    routers = hosts.Routers(4, home)
    place = f"{routers.outside.address}:6881"
    with routers, Program([*routers.outside.prefix, OURS, place]):
        first, second, third, fourth = routers.hosts
        most = []
        hosts.share_and_follow(report, "between routers", first, [second, third], fourth,
                               ["--dht-node", place],
                               look=lambda: most.append([routers.mapped(n) for n in range(1, 4)]))
        report.check("TCP and UDP are mapped in each router",
                     most and all(len(rules) == 2 for rules in most[0]), most)
        report.equal("nothing stays mapped", [routers.mapped(number) for number in range(1, 5)],
                     [[]] * 4)
        only_one_can_be_reached(["--dht-node", place])
report.finish()
