"""Ports are mapped in a router made of a namespace with NAT and miniupnpd, by each of PCP, NAT-PMP
and UPnP: somebody outside gets in, and after the end the mapping is gone. The router restarts, the
address changes, the port is taken. SWARM_MAP is the program; without it that of the release build."""
import os
import re
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from isolate import isolated

isolated()

import natbox
from natbox import LAN, OUTSIDE, Mapper
from report import Report

report = Report()


def serve_tcp(address, port):
    """In the LAN: whoever connects gets a word."""
    family = "AF_INET6" if ":" in address else "AF_INET"
    code = ("import socket,sys\n"
            f"s=socket.create_server(('{address}',{port}),family=socket.{family})\n"
            "while True:\n c,_=s.accept(); c.sendall(b'swarm'); c.close()\n")
    return natbox.start(LAN, sys.executable, "-c", code)


def serve_udp(address, port):
    code = ("import socket\n"
            "s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\n"
            f"s.bind(('{address}',{port}))\n"
            "while True:\n _,a=s.recvfrom(99); s.sendto(b'swarm',a)\n")
    return natbox.start(LAN, sys.executable, "-c", code)


def outside_gets(kind, port, address=natbox.WAN_ADDRESS):
    """What somebody outside gets at the router's port, or at an address behind it."""
    if kind == "TCP":
        code = (f"import socket; s=socket.create_connection(('{address}',{port}),3);"
                "print(s.recv(99).decode())")
    else:
        code = ("import socket; s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);s.settimeout(3);"
                f"s.sendto(b'x',('{natbox.WAN_ADDRESS}',{port}));print(s.recv(99).decode())")
    done = natbox.run(OUTSIDE, sys.executable, "-c", code, check=False)
    return done.stdout.strip()


def whole_life(service, **router):
    """Mapped, reached, renewed in place of another, removed."""
    with natbox.Daemon(**router), serve_tcp(natbox.LAN_ADDRESS, 6881), \
            serve_udp(natbox.LAN_ADDRESS, 6882), Mapper("TCP:6881", "UDP:6882") as mapper:
        line = mapper.wait(rf"TCP 6881: mapped by {service} at .*UDP 6882: mapped by {service} at ")
        if not report.check(f"{service}: mapped", line, mapper.said()):
            return
        report.note(f"{service}: mapped after {mapper.age():.2f} s")
        report.equal(f"{service}: external address", re.findall(r"at ([0-9.]+):", line),
                     [natbox.WAN_ADDRESS] * 2)
        ports = dict(zip(("TCP", "UDP"), re.findall(r"at [0-9.]+:(\d+)", line)))
        for kind, port in ports.items():
            report.equal(f"{service}: {kind} from outside", outside_gets(kind, port), "swarm")
        report.equal(f"{service}: rules in the router", natbox.rule_count(), 2)
        seconds = mapper.stop()
        report.check(f"{service}: ends in time", seconds is not None and seconds < 3, str(seconds))
        report.equal(f"{service}: rules after the end", natbox.rule_count(), 0)
        report.equal(f"{service}: nobody gets in after the end", outside_gets("TCP", ports["TCP"]),
                     "")
        if router.get("upnp", True):
            listed = natbox.run(LAN, "upnpc", "-m", natbox.LAN_LINK, "-l", check=False).stdout
            report.check(f"{service}: upnpc lists nothing of ours", "6881" not in listed, listed)


def router_restarts():
    """It comes back with nothing, and says so (RFC 6887, section 14.1)."""
    for service, router in (("PCP", {}), ("UPnP", {"natpmp": False})):
        daemon = natbox.Daemon(**router)
        with daemon, Mapper("TCP:6881") as mapper:
            report.check(f"restart, {service}: mapped before",
                         mapper.wait(f"mapped by {service}", 20), mapper.said())
            # Routers count in seconds.
            time.sleep(3)
            daemon.end()
            report.equal(f"restart, {service}: rules while it is away", natbox.rule_count(), 0)
            # It has all services now, so that it says that it is new.
            with natbox.Daemon():
                report.check(f"restart, {service}: mapped again",
                             natbox.until(lambda: natbox.rule_count() == 1, 30), mapper.said())
                mapper.stop()


def address_changes():
    with natbox.Daemon(), Mapper("TCP:6881") as mapper:
        report.check("address: mapped before", mapper.wait("mapped by PCP", 20), mapper.said())
        natbox.move(natbox.LAN_ADDRESS, natbox.OTHER_ADDRESS)
        try:
            report.check("address: mapped to the new one",
                         natbox.until(lambda: natbox.OTHER_ADDRESS in natbox.rules(), 15),
                         natbox.rules() + mapper.said())
            mapper.stop()
            report.check("address: the new one's mapping is removed",
                         natbox.OTHER_ADDRESS not in natbox.rules(), natbox.rules())
        finally:
            natbox.move(natbox.OTHER_ADDRESS, natbox.LAN_ADDRESS)


def port_is_taken():
    """Somebody else in the LAN has the external port: ours is another."""
    with natbox.Daemon(natpmp=False, secure=False):
        natbox.run(LAN, "upnpc", "-m", natbox.LAN_LINK, "-a", "192.168.77.99", "6881", "6881", "TCP",
                   check=False)
        report.check("taken: by somebody else", "192.168.77.99" in natbox.rules(), natbox.rules())
        with Mapper("TCP:6881") as mapper, serve_tcp(natbox.LAN_ADDRESS, 6881):
            line = mapper.wait("mapped by UPnP", 20)
            if report.check("taken: mapped at another port", line, mapper.said()):
                port = re.search(r":(\d+)$", line).group(1)
                report.check("taken: another port", port != "6881", line)
                report.equal("taken: from outside", outside_gets("TCP", port), "swarm")
            mapper.stop()
        report.check("taken: the other's stays", "192.168.77.99" in natbox.rules(), natbox.rules())


def ipv6_pinhole():
    """In IPv6 there is nothing to translate, but the router lets nobody in who is not let in."""
    with natbox.Daemon(ipv6=True), serve_tcp(natbox.LAN_ADDRESS6, 6881):
        report.equal("IPv6: closed before", outside_gets("TCP", 6881, natbox.LAN_ADDRESS6), "")
        mapper = Mapper("TCP:6881")
        line = mapper.wait(rf"mapped by PCP at \[{natbox.LAN_ADDRESS6}\]:6881", 20)
        if report.check("IPv6: let in", line, mapper.said()):
            report.equal("IPv6: from outside", outside_gets("TCP", 6881, natbox.LAN_ADDRESS6),
                         "swarm")
        mapper.stop()
        report.equal("IPv6: closed after the end", outside_gets("TCP", 6881, natbox.LAN_ADDRESS6),
                     "")


def nobody_answers():
    with Mapper("TCP:6881") as mapper:
        report.check("nobody: said", mapper.wait("does not answer|has no", 20), mapper.said())
        seconds = mapper.stop()
        report.check("nobody: ends at once", seconds is not None and seconds < 1, str(seconds))


def behind_another_router():
    """The router's own address outside is private: nobody gets in, and that is said."""
    with natbox.FakeRouter(external="10.0.0.2"), Mapper("TCP:6881") as mapper:
        report.check("double NAT: said", mapper.wait("double NAT", 20), mapper.said())
        mapper.stop()


def permanent_leases():
    with natbox.FakeRouter(permanent=True) as router, Mapper("TCP:6881", "UDP:6882") as mapper:
        report.check("permanent: mapped", mapper.wait("TCP.*mapped by UPnP.*UDP.*mapped by UPnP", 20),
                     mapper.said())
        report.check("permanent: in the router",
                     natbox.until(lambda: len(router.table()) == 2, 5), str(router.lines))
        report.equal("permanent: asked with a lease, then without",
                     sorted(set(router.leases())), ["0", "7200"])
        mapper.stop()
        report.check("permanent: removed at the end",
                     natbox.until(lambda: not router.table(), 5), str(router.lines))


def endless_router():
    """It describes itself without end, then drop by drop: it is cut off, and costs no memory."""
    for manner in ("flood", "drip"):
        with natbox.FakeRouter(manner=manner) as router, Mapper("TCP:6881") as mapper:
            natbox.until(router.was_asked, 10)
            time.sleep(2)
            peak = mapper.peak()
            report.note(f"{manner}: at most {peak >> 10} MiB resident")
            report.check(f"{manner}: memory", peak < 120 << 10, f"{peak} KiB")
            report.check(f"{manner}: cut off", mapper.wait("too slow or said too much", 20),
                         mapper.said())
            seconds = mapper.stop()
            report.check(f"{manner}: ends in time", seconds is not None and seconds < 3,
                         str(seconds))


def stuck_router():
    """The node stops while the router lets it wait."""
    with natbox.FakeRouter(manner="drip") as router, Mapper("TCP:6881") as mapper:
        report.check("stuck: it is asked", natbox.until(router.was_asked, 10))
        seconds = mapper.stop()
        report.check("stuck: ends in time", seconds is not None and seconds < 3, str(seconds))


if not report.check("there is a program", os.access(natbox.PROGRAM, os.X_OK),
                    f"none at {natbox.PROGRAM}: make interop builds it"):
    report.finish()
with tempfile.TemporaryDirectory() as folder:
    natbox.build(folder)
    whole_life("PCP")
    whole_life("NAT-PMP", upnp=False, pcp=False)
    whole_life("UPnP", natpmp=False)
    router_restarts()
    address_changes()
    port_is_taken()
    nobody_answers()
    ipv6_pinhole()
    behind_another_router()
    permanent_leases()
    endless_router()
    stuck_router()
report.finish()
