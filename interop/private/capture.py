"""A private dataset between two hosts, with everything on the line recorded by a third party: transfer,
multicast DNS, local discovery, DHT. What is recorded says nothing of it; the same search in a record of a
public dataset finds all. Then somebody on the same line with the dataset's key and no read key; then transfers
between daemons."""
import base64
import filecmp
import hashlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from isolate import isolated

isolated()
import hosts
import lan
import node
from dht_nodes import OURS
from lan import Capture, Program
from report import Report

report = Report()
MIB = 1 << 20
# Ports that no dissector takes for BitTorrent's by themselves.
DHT_PORTS = range(30001, 30005)
PORTS = {"h1": "41001", "h2": "42002", "h3": "43003"}
# Bytes of content that must not be on the line, and how far apart those that are looked for begin.
WINDOW, STRIDE = 32, 16
NAMES = (b"names-of-patients", b"findings-of-the-lab")
MESSAGE = "a second opinion"
# How long somebody who must not find anything looks for it, in seconds.
SILENCE = 20


def make_records(folder, name):
    """A folder with a table, a note and a disk image; its path."""
    path = os.path.join(folder, name)
    os.makedirs(os.path.join(path, "findings-of-the-lab"))
    with open(os.path.join(path, "names-of-patients.csv"), "wb") as file:
        for number in range(30000):
            file.write(b"%06d;%s\n" % (number, hashlib.sha256(b"%d" % number).hexdigest().encode()))
    with open(os.path.join(path, "findings-of-the-lab/disk.img"), "wb") as file:
        file.write(os.urandom(3 * MIB))
        file.seek(8 * MIB - 1)
        file.write(b"\x01")
    return path


def windows(path):
    """Pieces of all files below a path, but for those that say nothing: runs of one byte."""
    found = set()
    for folder, _, names in os.walk(path):
        for each in names:
            with open(os.path.join(folder, each), "rb") as file:
                data = file.read()
            for at in range(0, len(data) - WINDOW, STRIDE):
                piece = data[at:at + WINDOW]
                if len(set(piece)) > 2:
                    found.add(piece)
    return found


def spellings(raw):
    """How bytes may stand in a packet."""
    digits = raw.hex().encode()
    return {raw, digits, digits.upper(), base64.b32encode(raw).rstrip(b"=")}


def needles(started, name, read_key):
    """What must not be seen, by what it is: versions' infohashes as a whole and cut, key, read key, where the
    head of a public dataset is kept, names."""
    key = bytes.fromhex(started[0]["dataset_key"])
    found = {"key": spellings(key), "place of the head": spellings(hashlib.sha1(key).digest()),
             "read key": spellings(read_key) if read_key else set(),
             "a name": {name.encode(), *NAMES}, "the message": {MESSAGE.encode()},
             "the handshake of BitTorrent": {b"BitTorrent protocol"}}
    for number, each in enumerate(started, 1):
        v2, v1 = bytes.fromhex(each["infohash_v2"]), bytes.fromhex(each["infohash_v1"])
        found[f"infohash {number}"] = spellings(v2) | spellings(v2[:20]) | spellings(v1)
    return found


def streams(capture):
    """The bytes of each direction of each connection, as they were sent."""
    parts = {}
    for stream, source, port, number, payload in capture.read(
            "tcp.len > 0", "tcp.stream", "ip.src", "tcp.srcport", "tcp.seq_raw", "tcp.payload"):
        data = bytes.fromhex(payload.replace(":", ""))
        parts.setdefault((stream, source, port), {})[int(number)] = data
    whole = []
    for pieces in parts.values():
        first, data = min(pieces), bytearray()
        for number in sorted(pieces):
            # What was sent twice overlaps.
            at = number - first
            data[at:at + len(pieces[number])] = pieces[number]
        whole.append(bytes(data))
    return whole


def seen(capture, wanted, content, only=None):
    """What of `wanted` is in the record, packet by packet or over several; and of the content."""
    with open(capture.path, "rb") as file:
        whole = [file.read()] if only is None else []
    if only is not None:
        fields = capture.read(only, "udp.payload", "tcp.payload")
        whole += [bytes.fromhex(each.replace(":", "")) for line in fields for each in line if each]
    else:
        whole += streams(capture)
    found = {what for what, spelled in wanted.items()
             if any(each in data for data in whole for each in spelled)}
    if any(data[at:at + WINDOW] in content for data in whole
           for at in range(len(data) - WINDOW + 1)):
        found.add("content")
    return found


def read_key_of(link):
    return bytes.fromhex(link.partition("x.rk=")[2][:64]) if "x.rk=" in link else None


def keeps_secret(host, link, who):
    """The state folder has the read key in one file, for its owner alone, and nowhere else."""
    digits, holding = link.partition("x.rk=")[2][:64].encode(), []
    for folder, _, names in os.walk(host.state()):
        for each in names:
            path = os.path.join(folder, each)
            if os.path.islink(path) or not os.path.isfile(path):
                continue
            with open(path, "rb") as file:
                data = file.read()
            if digits in data or bytes.fromhex(digits.decode()) in data:
                holding.append(path)
    report.check(f"{who}: one file has the read key", len(holding) == 1
                 and holding[0].endswith(".read"), repr(holding))
    modes = [stat.S_IMODE(os.stat(each).st_mode) for each in holding]
    report.equal(f"{who}: which only its owner reads", modes, [0o600])


def words_of(process):
    with open(f"/proc/{process.pid}/cmdline", "rb") as file:
        return file.read()


def options(host):
    places = [word for port in DHT_PORTS for word in ("--dht-node", f"{four.address}:{port}")]
    return ["--listen", PORTS[host.namespace], "--no-mapping", *places]


def publish(name, host, seed, folder):
    """The next version, by whom the folder is seeded; what is told of it."""
    with open(os.path.join(folder, "findings-of-the-lab/more.txt"), "wb") as file:
        file.write(os.urandom(256 << 10))
    with open(os.path.join(folder, "names-of-patients.csv"), "r+b") as file:
        file.seek(MIB)
        file.write(os.urandom(64 << 10))
    result = host.run("publish", os.path.basename(folder), "--message", MESSAGE, "--json")
    report.check(f"{name}: publishes", result.returncode == 0, repr(result.stderr))
    return json.loads(result.stdout or b"{}")


def transfer(name, *extra):
    """Seeds, joins, publishes, follows, reads a block device; all recorded. The record, the link, what was told
    of both versions, content, and the seed, which goes on."""
    folder = make_records(one.home, name)
    content = windows(folder)
    capture = Capture(os.path.join(scratch, name))
    with capture:
        seed = one.seed(name, *extra, "--format", "hybrid", *options(one))
        started = seed.wait("started", hosts.PATIENCE)
        if not report.check(f"{name}: seeds", started, seed.said()):
            report.finish()
        link = started["magnet"]
        file = os.path.join(two.home, "link")
        with open(file, "w", encoding="ascii") as text:
            text.write(link + "\n")
        kept = os.path.join(one.home, "kept-" + name)
        shutil.copytree(folder, kept)
        joining = two.join("@link", *options(two))
        wrong = hosts.wait_for(lambda: hosts._differs(kept, two.folder(1, name)) is None
                               if os.path.isdir(two.folder(1, name)) else False)
        report.check(f"{name}: version 1 comes", wrong, joining.said())
        report.check(f"{name}: no word of the link is among the program's",
                     b"x.rk" not in words_of(joining))
        if "x.rk=" in link:
            report.check(f"{name}: nor in what the joiner tells",
                         not joining.has_said(link.partition("x.rk=")[2][:64]))
            status = joining.fresh_status()
            report.check(f"{name}: the status says that it is private",
                         status.get("private_dataset") is True and status.get("encrypted_peers", 0) > 0,
                         repr(status))
        published = publish(name, one, seed, folder)
        content |= windows(folder)
        arrived = hosts.wait_for(lambda: hosts._differs(folder, two.folder(2, name)) is None
                                 if os.path.isdir(two.folder(2, name)) else False)
        report.check(f"{name}: version 2 follows", arrived, joining.said())
        report.check(f"{name}: the joiner ends well", joining.stop(signal.SIGTERM) in node.STOPPED,
                     joining.said())
        boot(name, link, folder)
    return capture, link, [started, published], content, seed


class Daemon(node.Node):
    """A daemon on a host, and the commands that talk to it."""

    def __init__(self, host):
        self.host, self.sockets = host, ("--sockets", os.path.join(host.home, "sockets"))
        super().__init__("daemon", *self.sockets, *options(host), prefix=host.prefix, cwd=host.home)

    def run(self, command, *words):
        result = self.host.run(command, *words, *self.sockets)
        report.check(f"swarm {command} at a daemon", result.returncode == 0, repr(result.stderr))
        return result.stdout

    def dataset(self, name):
        return json.loads(self.run("status", name, "--json") or b"{}")

    def until(self, name, version):
        """The dataset when that version of it is here whole, or as it was last."""
        found = {}

        def is_here():
            found.update(self.dataset(name))
            return found.get("version") == version and (found["transfer"] or {}).get("finished")
        hosts.wait_for(is_here)
        return found


def by_daemons(name, *extra):
    """The same between two daemons, which are told of the folder and of the link by `swarm add`. The record, and
    what must not be in it if it is private: words, and content."""
    folder = make_records(one.home, name)
    content = windows(folder)
    capture = Capture(os.path.join(scratch, name))
    with capture, Daemon(one) as sharing, Daemon(two) as fetching:
        for each in (sharing, fetching):
            report.check(f"{name}: a daemon starts", each.wait("started", hosts.PATIENCE), each.said())
        key = json.loads(sharing.run("add", name, "--format", "hybrid", *extra, "--json"))["id"]
        first = sharing.dataset(name)
        link = sharing.run("status", "--link", name).decode().strip()
        with open(os.path.join(two.home, "link"), "w", encoding="ascii") as text:
            text.write(link + "\n")
        fetching.run("add", "@link")
        came = fetching.until(key, 1)
        report.equal(f"{name}: version 1 comes", came.get("version"), 1)
        report.equal(f"{name}: whether it is private", came.get("private_dataset"), "x.rk=" in link)
        second = publish(name, one, sharing, folder)
        content |= windows(folder)
        came = fetching.until(key, 2)
        report.check(f"{name}: version 2 follows, byte for byte", came.get("version") == 2
                     and hosts._differs(folder, came["path"]) is None, fetching.said())
        if "x.rk=" in link:
            digits = link.partition("x.rk=")[2][:64]
            for each in (sharing, fetching):
                report.check(f"{name}: no daemon tells the read key", not each.has_said(digits))
        for each in (sharing, fetching):
            # Else it is shared again with the next one.
            each.run("rm", key)
            report.equal(f"{name}: a daemon ends well", each.stop(signal.SIGTERM), 0)
    wanted = needles([each | {"dataset_key": key} for each in (first, second)], name, read_key_of(link))
    return capture, wanted, content


def boot(name, link, folder):
    """Another machine reads the image as a disk, of which it has nothing."""
    sparse = os.path.join(two.home, "machine-" + name)
    socket = os.path.join(scratch, "nbd-" + name)
    with two.join("@link", sparse, "--nbd", socket, "--sparse", "--state", sparse + ".state",
                  *options(two)) as reading:
        hosts.wait_for(lambda: reading.has_said("nbd") and os.path.exists(socket))
        image = os.path.join(scratch, "image-" + name)
        copied = None
        for _ in range(40):
            copied = subprocess.run(
                ["nbdcopy", f"nbd+unix:///findings-of-the-lab/disk.img?socket={socket}", image],
                capture_output=True, check=False)
            if copied.returncode == 0:
                break
            time.sleep(0.5)
        report.check(f"{name}: the image is read as a disk", copied.returncode == 0,
                     repr(copied.stderr) + reading.said())
        report.check(f"{name}: byte for byte", os.path.exists(image) and filecmp.cmp(
            image, os.path.join(folder, "findings-of-the-lab/disk.img"), shallow=False))


def stranger(link, started, wanted, seed, joined):
    """On the same line and in the same DHT, with the key, with the infohash, or with another read key."""
    key, infohash = started[-1]["dataset_key"], started[-1]["infohash_v2"]
    wrong_key = os.urandom(32).hex()
    capture = Capture(os.path.join(scratch, "stranger"))
    with capture:
        for number, what in enumerate((f"magnet:?xs=urn:btpk:{key}",
                                       f"magnet:?xt=urn:btmh:1220{infohash}",
                                       f"magnet:?xs=urn:btpk:{key}&x.rk={wrong_key}")):
            # By name, too: they know where it is shared.
            with three.join(what, f"try{number}", "--state", f"{scratch}/stranger{number}", "--peer",
                            f"{one.address}:{PORTS['h1']}", *options(three)) as joining:
                time.sleep(SILENCE)
                for event in ("version", "metadata", "finished", "head"):
                    report.check(f"stranger {number} learns of no {event}",
                                 joining.wait(event, 0) is None)
                report.check(f"stranger {number} is connected to nobody", joining.wait(
                    "peer", 0, lambda each: each.get("state") == "connected") is None)
                report.equal(f"stranger {number} gets nothing",
                             node.downloaded(joining.status()) or 0, 0)
                if "x.rk=" in what:
                    words = words_of(joining)
                    report.check("a link in a program's words is hidden", wrong_key.encode() not in
                                 words and b"x.rk=" + b"*" * 64 in words, repr(words[-300:]))
    sent = " || ".join(f"ip.src == {each.address}" for each in (one, two))
    found = seen(capture, wanted, set(), sent)
    report.equal("what members send while a stranger asks", found, set())
    report.check("they go on", seed.is_alive() and joined.is_alive())


def has_marks(name, capture, wanted, content):
    """A public dataset: the search finds all that it looks for."""
    found = seen(capture, wanted, content)
    for each in sorted({*wanted, "content"} - {"read key"}):
        report.check(f"{name}: the record shows {each}", each in found, repr(found))


with tempfile.TemporaryDirectory(prefix="swarm-capture-") as scratch:
    if not report.check("there is a program", os.access(OURS, os.X_OK), f"none at {OURS}"):
        report.finish()
    one, two, three, four = hosts.on_a_bridge(4, scratch)
    first = f"{four.address}:{DHT_PORTS[0]}"
    crowd = [Program([*four.prefix, OURS, f"{four.address}:{port}",
                      *([first] if port != DHT_PORTS[0] else [])]) for port in DHT_PORTS]
    capture, link, started, content, seed = transfer("open-records")
    seed.stop()
    has_marks("public", capture, needles(started, "open-records", None), content)
    report.check("public: tshark recognises BitTorrent", capture.read("bittorrent", "frame.number"))

    name = "closed-records"
    capture, link, started, content, seed = transfer(name, "--private")
    read_key = read_key_of(link)
    if report.check("private: the link has the read key", read_key is not None, link):
        wanted = needles(started, name, read_key)
        report.equal("private: the record shows nothing", seen(capture, wanted, content), set())
        report.equal("private: tshark recognises no BitTorrent",
                     capture.read("bittorrent", "frame.number")[:5], [])
        for kind in ("bt-dht", "mdns", "udp.dstport == 6771"):
            dht = [word for port in (*DHT_PORTS, *PORTS.values())
                   for word in ("-d", f"udp.port=={port},bt-dht")]
            capture.more = dht
            report.check(f"private: there is {kind} in the record", capture.read(kind, "frame.number"))
        keeps_secret(one, link, "the publisher")
        keeps_secret(two, link, "the joiner")
        with two.join(started[-1]["dataset_key"], *options(two)) as again:
            report.check("by the key alone, where the read key is known", hosts.wait_for(
                lambda: again.wait("status", 0, lambda each: each.get("peers", 0) > 0)),
                again.said())
            stranger(link, started, wanted, seed, again)
    seed.stop()
    capture, wanted, content = by_daemons("open-folder")
    has_marks("public, by daemons", capture, wanted, content)
    capture, wanted, content = by_daemons("closed-folder", "--private")
    report.check("private, by daemons: the link has the read key", wanted["read key"])
    report.equal("private, by daemons: the record shows nothing", seen(capture, wanted, content), set())
    report.equal("private, by daemons: tshark recognises no BitTorrent",
                 capture.read("bittorrent", "frame.number")[:5], [])
    for each in crowd:
        each.stop()
report.finish()
