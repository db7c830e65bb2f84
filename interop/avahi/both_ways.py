"""avahi finds and resolves us, we find what avahi publishes, conflicts are resolved on either side,
goodbyes are honoured, and both share a host. Nothing of ours is malformed to Wireshark."""
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from isolate import isolated

isolated()
import lan
from report import Report

report = Report()
TYPE = "_bittorrent._tcp"
TORRENT, OTHER = "32f17bbf96bdc77de85bb91ff8d56f124e817c0a", "11" * 20
SUBTYPE = f"_{TORRENT}._sub.{TYPE}"
ALICE, BOB, CAROL = (name.encode().hex() for name in (
    "-SW0100-alice-------", "-SW0100-bob---------", "-SW0100-carol-------"))
CONFIGURATION = """[server]
use-ipv4=yes
use-ipv6=yes
[wide-area]
enable-wide-area=no
[rlimits]
"""


class Avahi(lan.Program):
    """avahi-daemon on a host, with a /run and a message bus of its own."""

    def __init__(self, host, scratch):
        path = os.path.join(scratch, "avahi.conf")
        with open(path, "w", encoding="ascii") as file:
            file.write(CONFIGURATION + f"\n[server]\nhost-name=avahi{host}\n")
        script = ("mount -t tmpfs tmpfs /run && mkdir -p /run/dbus /run/avahi-daemon && "
                  "dbus-daemon --system --fork --nopidfile && "
                  f"exec avahi-daemon --no-drop-root --no-chroot --no-rlimits -f {path}")
        super().__init__([*lan.on(host), "unshare", "-m", "sh", "-c", script])

    def started(self):
        return self.wait(lambda line: "startup complete" in line, 15)

    def command(self, *words):
        return ["nsenter", "-t", str(self.process.pid), "-m", "-n", *words]

    def browse(self, kind):
        """Lines of what is there: resolved ones begin with "="."""
        result = subprocess.run(self.command("avahi-browse", "-rpt", kind), capture_output=True,
                                text=True, check=False, timeout=30)
        return result.stdout.splitlines()


def resolved(lines, name, host, port):
    """Whether one of avahi-browse's lines has this instance at that IPv4 address and port."""
    for line in lines:
        fields = line.split(";")
        if (fields[0] == "=" and fields[2] == "IPv4" and len(fields) > 8
                and fields[3].replace("\\032", " ").replace("\\040", "(").replace("\\041", ")") == name
                and fields[7:9] == [lan.address(host), str(port)]):
            return True
    return False


def avahi_sees_us():
    with lan.Ours(1, ALICE, 6001, TORRENT, OTHER) as ours:
        report.check("we start", ours.wait(lambda line: "started" in line))
        time.sleep(3)
        lines = avahi.browse(TYPE)
        report.check("avahi finds and resolves us", resolved(lines, ALICE, 1, 6001), lines)
        lines = avahi.browse(SUBTYPE)
        report.check("avahi finds us by torrent", resolved(lines, ALICE, 1, 6001), lines)
        lines = avahi.browse("_services._dns-sd._udp")
        host = f"swarm-{ALICE[-12:]}.local"
        answer = subprocess.run(avahi.command("avahi-resolve", "-4", "-n", host),
                                capture_output=True, text=True, check=False, timeout=30)
        report.check("avahi resolves our host", lan.address(1) in answer.stdout, answer)
        with lan.Program(avahi.command("avahi-browse", "-p", SUBTYPE)) as watcher:
            report.check("avahi watches us", watcher.wait(lambda line: line[0] == "+"))
            started = time.monotonic()
            report.check("we end well", ours.stop(), ours.said())
            gone = watcher.wait(lambda line: line[0] == "-" and ALICE in line, 5)
            report.check("avahi honours our goodbye", gone, watcher.said())
            report.note(f"goodbye honoured after {time.monotonic() - started:.1f} s")


def publish(name, port, *more):
    return lan.Program(avahi.command("avahi-publish", "-s", *more, name, TYPE, str(port)))


def we_see_avahi():
    with lan.Ours(1, ALICE, 6001, TORRENT, OTHER, kinds="mdns") as ours:
        with publish(BOB, 7001, f"--subtype={SUBTYPE}") as theirs:
            report.check("we find what avahi publishes",
                         ours.finds(TORRENT, f"{lan.address(2)}:7001"), ours.said() + theirs.said())
        with publish(CAROL, 7002, f"--subtype={SUBTYPE}"):
            report.check("we find what it publishes later",
                         ours.finds(TORRENT, f"{lan.address(2)}:7002"), ours.said())
            report.check("only for its torrent",
                         not any(OTHER in line for line in ours.lines), ours.said())


def conflicts():
    with publish(ALICE, 7003) as theirs:
        report.check("avahi has the name", theirs.wait(lambda line: "Established" in line))
        with lan.Ours(1, ALICE, 6001, TORRENT) as ours:
            report.check("we take another name",
                         ours.wait(lambda line: f"{ALICE} (2)" in line), ours.said())
            time.sleep(2)
            lines = avahi.browse(TYPE)
            report.check("avahi sees both", resolved(lines, ALICE, 2, 7003)
                         and resolved(lines, ALICE + " (2)", 1, 6001), lines)
    with lan.Ours(1, BOB, 6001, TORRENT) as ours:
        time.sleep(3)
        with publish(BOB, 7004) as theirs:
            renamed = theirs.wait(lambda line: "collision" in line.lower(), 10)
            report.check("avahi takes another name than ours", renamed, theirs.said())
            lines = avahi.browse(TYPE)
            report.check("and ours stays", resolved(lines, BOB, 1, 6001), lines)


def one_host():
    with lan.Ours(2, BOB, 6002, TORRENT, kinds="mdns") as beside:
        time.sleep(1.5)
        with lan.Ours(1, ALICE, 6001, TORRENT, kinds="mdns") as ours:
            report.check("we find ours beside avahi",
                         ours.finds(TORRENT, f"{lan.address(2)}:6002"), ours.said())
            report.check("and it finds us",
                         beside.finds(TORRENT, f"{lan.address(1)}:6001"), beside.said())
            lines = avahi.browse(SUBTYPE)
            report.check("avahi finds the one beside it", resolved(lines, BOB, 2, 6002), lines)
            report.check("and the other", resolved(lines, ALICE, 1, 6001), lines)
            report.check("without a conflict", not any("already" in line for line in
                                                       ours.errors + beside.errors))


def dissected(capture):
    ours = f"ip.src == {lan.address(1)} && udp.port == 5353"
    seen = capture.read(ours, "dns.flags.response")
    report.check("the dissector saw questions and answers of ours",
                 {"0", "1", "False", "True"} & {each[0] for each in seen} and len(seen) > 20, len(seen))
    bad = capture.read(f"({ours}) && (_ws.malformed || _ws.expert.severity >= 0x600000)",
                       "frame.number", "_ws.expert.message")
    # Probes and announcements repeat themselves, as RFC 6762 wants it; all have the id 0.
    bad = [each for each in bad if "retransmission. Original" not in each[1]]
    report.check("nothing of ours is malformed", not bad, bad[:3])
    hops = {each[0] for each in capture.read(ours, "ip.ttl")}
    report.equal("hop limit", hops, {"255"})
    report.note(f"{len(seen)} packets of ours")


with tempfile.TemporaryDirectory(prefix="swarm-avahi-") as scratch:
    lan.make(3)
    with lan.Capture(os.path.join(scratch, "capture")) as capture:
        with Avahi(2, scratch) as avahi:
            if report.check("avahi starts", avahi.started(), avahi.said()):
                avahi_sees_us()
                we_see_avahi()
                conflicts()
                one_host()
    dissected(capture)
report.finish()
