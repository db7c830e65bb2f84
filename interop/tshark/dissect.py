"""What we send, as Wireshark's BitTorrent dissector reads it: nothing malformed, no expert's
complaint. Transfers of ours with ours and with libtorrent, v2, hybrid and v1, from a .torrent and
from a link alone."""
import collections
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from isolate import isolated

isolated()
import contents
import node
import swarm
from clients import Libtorrent
from report import Report

report = Report()
MIB = 3
OURS, OTHER = "10.99.0.1:6901", "10.99.0.2:6902"
PATIENCE = 40  # seconds a transfer
# Message types. BEP 3, 10.
REQUEST, PIECE, EXTENDED = 6, 7, 20
# Wireshark's numbers: the lowest severity that counts; the group of what TCP itself does.
WARNING, SEQUENCE = 0x600000, 0x2000000
# What it says of each bencoded string with a zero byte inside, such as the "yourip" of BEP 10: it
# takes all of them for text.
BINARY = "Trailing stray characters"


class Capture:
    """Packets of the loopback interface, while a `with` lasts."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        self.process = subprocess.Popen(
            ["dumpcap", "-q", "-i", "lo", "-f", "tcp", "-B", "64", "-w", self.path],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if line.startswith("File:"):
                break
        return self

    def __exit__(self, *_):
        time.sleep(0.3)  # what is in the kernel's buffer yet
        self.process.terminate()
        said = self.process.stderr.read()
        self.process.wait()
        report.check("capture: no packet is lost", "dropped on interface 'lo': 0" in said
                     or "/0 (" in said or not said.strip(), said)

    def dissect(self, ours):
        """(message type → count, complaints) in packets that `ours`, a display filter, picks."""
        fields = ("bittorrent.msg.type", "bittorrent.protocol.name", "_ws.malformed",
                  "_ws.expert.message", "_ws.expert.severity", "_ws.expert.group", "frame.number")
        command = ["tshark", "-r", self.path, "-n", "-2", "-o", "tcp.desegment_tcp_streams:TRUE",
                   "-d", "tcp.port==6901,bittorrent", "-d", "tcp.port==6902,bittorrent",
                   "-Y", f"({ours}) && (bittorrent || _ws.malformed)", "-T", "fields",
                   "-E", "aggregator=|", "-E", "separator=/t"]
        for each in fields:
            command += ["-e", each]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        types, complaints = collections.Counter(), []
        for line in result.stdout.splitlines():
            kinds, protocol, malformed, messages, severities, groups, frame = line.split("\t")
            types.update(int(kind) for kind in kinds.split("|") if kind)
            types["handshake"] += bool(protocol)
            if malformed:
                complaints.append(f"frame {frame}: malformed: {malformed}")
            for message, severity, group in zip(messages.split("|"), severities.split("|"),
                                                groups.split("|")):
                if severity and int(severity) >= WARNING and int(group) != SEQUENCE and (
                        message != BINARY):
                    complaints.append(f"frame {frame}: {message}")
        return types, complaints


def transfer(kind, by_link, with_whom):
    name = f"{kind}, {'link' if by_link else 'torrent'}, {with_whom}"
    target, capture = os.path.join(scratch, "target"), Capture(os.path.join(scratch, "capture"))
    os.mkdir(target)
    what = links[kind] if by_link else torrents[kind]
    states = [os.path.join(scratch, each) for each in ("state1", "state2")]
    # Who listens at 6901 is connected to, who listens at 6902 connects.
    with capture:
        if with_whom == "theirs to ours":
            seed = Libtorrent("2.0.8", OURS, source, torrent=torrents[kind], seed_mode=True,
                              plain=True)
            report.check(f"{name}: libtorrent listens", seed.started(), seed.said())
            leech = node.join(what, target, states[1], OTHER, peers=[OURS])
            ours = "tcp.dstport == 6901"
        else:
            seed = node.seed(torrents[kind], states[0], OURS, "--data", source)
            node.listening(seed)
            ours = "tcp.srcport == 6901"
            if with_whom == "ours to theirs":
                more = {"link": what} if by_link else {"torrent": what}
                leech = Libtorrent("2.0.8", OTHER, target, peers=[OURS], plain=True, **more)
            else:
                leech = node.join(what, target, states[1], OTHER, peers=[OURS])
                ours = "tcp"
        with seed, leech:
            done = (node.finished(leech, PATIENCE) if isinstance(leech, node.Node)
                    else leech.finished(PATIENCE))
            report.check(f"{name}: arrives", done and contents.difference_soon(
                content, os.path.join(os.fsencode(target), b"data")) is None,
                f"{leech.said()}; the seed, exit status {seed.process.poll()}: {seed.said()}")
    types, complaints = capture.dissect(ours)
    report.check(f"{name}: nothing malformed", not complaints, f"{len(complaints)}: {complaints[:2]}")
    sends = {"ours to ours": (REQUEST, PIECE), "ours to theirs": (PIECE,),
             "theirs to ours": (REQUEST,)}[with_whom]
    # It does not know the hash messages of BEP 52, and skips the rest of a packet that has one: in v2
    # that may be each packet with a request, since what proves a block is asked for in the same send.
    least = MIB << 3 if kind == "v1" else 0
    if kind != "v1":
        sends = tuple(each for each in sends if each != REQUEST)
    report.check(f"{name}: the dissector saw our messages", types["handshake"] and
                 types[EXTENDED] and all(types[each] > least for each in sends), repr(types))
    report.note(f"{name}: " + ", ".join(f"{key}: {count}" for key, count in sorted(
        types.items(), key=str)))
    for each in (target, *states):
        shutil.rmtree(each, ignore_errors=True)


with tempfile.TemporaryDirectory(prefix="swarm-tshark-") as scratch:
    source = os.path.join(scratch, "source")
    content = contents.make(source, MIB)
    torrents, links = {}, {}
    for each in ("v2", "hybrid", "v1"):
        torrents[each] = os.path.join(scratch, each + ".torrent")
        answer, _ = swarm.run_json("create", content, "-o", torrents[each], "--format", each)
        links[each] = answer["magnet"]
    for each in ("v2", "hybrid", "v1"):
        for whom in ("ours to ours", "ours to theirs", "theirs to ours"):
            transfer(each, each == "v2" or whom == "theirs to ours", whom)
report.finish()
