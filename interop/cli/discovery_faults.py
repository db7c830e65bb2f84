"""What can be wrong around discovery: a state folder that is read-only or full, files in it that are
nobody's, ports that others have, a network without multicast, without anything, name servers that are
silent, garbage in datagrams, a clock that jumps. A clear line each, and the node goes on: a transfer
over --peer works, and it ends when it is told to."""
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from isolate import isolated, mount_tmpfs

isolated()
import node
import swarm
from report import Report

report = Report()
NOBODY = 65534
PATIENCE = 40  # seconds
RANDOM = random.Random(4)
GARBAGE = {"mDNS": 5353, "LSD": 6771}
FAKETIME = [f"/usr/lib/{each}-linux-gnu/faketime/libfaketime.so.1" for each in ("x86_64", "aarch64")]


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


def hosts():
    """Two networks with a cable between them; the first one's other end is ours."""
    os.makedirs("/run/netns", exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run/netns"], check=True)
    ip("netns", "add", "far")
    ip("link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", "far")
    for words in (("addr", "add", "10.78.0.1/24", "dev", "eth0"), ("link", "set", "eth0", "up")):
        ip(*words)
    for words in (("addr", "add", "10.78.0.2/24", "dev", "eth0"), ("link", "set", "eth0", "up"),
                  ("link", "set", "lo", "up")):
        ip("-n", "far", *words)
    # Name servers that never answer: what is sent to them vanishes.
    ip("route", "add", "blackhole", "192.0.2.0/24")
    with open(os.path.join(scratch, "resolv.conf"), "w", encoding="ascii") as file:
        file.write("nameserver 192.0.2.53\n")
    subprocess.run(["mount", "--bind", file.name, "/etc/resolv.conf"], check=True)
    time.sleep(2.2)  # IPv6 looks whether somebody has its addresses.


class Case:
    """A seed of its own that has something to bear, and a leech that knows it by --peer."""
    number = 0

    def __init__(self, name, *more, state=None, before=lambda top: None, prefix=(), start=True):
        Case.number += 1
        self.name = name
        self.top = tempfile.mkdtemp(dir=scratch)
        self.state = state or os.path.join(self.top, "state")
        self.at = f"10.78.0.1:{6900 + Case.number}"
        self.source = os.path.join(self.top, "data")
        shutil.copytree(content, self.source)
        before(self)
        self.seed = None
        if start:
            self.begin(*more, prefix=prefix)

    def begin(self, *more, prefix=()):
        self.seed = node.seed(self.source, self.state, self.at, *more, prefix=prefix)

    def says(self, *words):
        report.check(f"{self.name}: a clear line", self.seed.wait_for_log(*words, seconds=PATIENCE),
                     self.seed.said())

    def serves(self, also=()):
        """The transfer over --peer works, and all of it is right."""
        started = self.seed.wait("started", PATIENCE)
        if not report.check(f"{self.name}: it starts", started is not None, self.seed.said()):
            return None
        target = tempfile.mkdtemp(dir=self.top)
        with node.join(node.link(started), target, os.path.join(target, "state"),
                       f"10.78.0.1:{7900 + Case.number}", "--no-lan", "--no-dht", "--no-mapping",
                       *also, peers=[self.at]) as leech:
            done = node.finished(leech, PATIENCE)
            report.check(f"{self.name}: a transfer over --peer works", done,
                         f"{leech.said()} {self.seed.said()}")
        return started

    def ends(self, seconds=4):
        """Told to, within that time whatever is silent around it."""
        began = time.monotonic()
        status = self.seed.stop(signal.SIGTERM)
        took = time.monotonic() - began
        report.check(f"{self.name}: ends when told to", status in node.STOPPED and took < seconds,
                     f"status {status} after {took:.1f} s; {self.seed.said()}")
        crashes = [line for line in self.seed.errors if "Fatal" in line or "Crash" in line]
        report.check(f"{self.name}: no crash", not crashes, repr(crashes))

    def goes_on(self, *words):
        if words:
            self.says(*words)
        self.serves()
        self.ends()


def read_only():
    """Root writes wherever it likes, unless the file system itself says no."""
    def prepare(case):
        with node.seed(case.source, case.state, case.at, "--no-dht", "--no-lan",
                       "--no-mapping") as first:
            node.listening(first, PATIENCE)
            first.stop(signal.SIGTERM)
        subprocess.run(["mount", "--bind", case.state, case.state], check=True)
        subprocess.run(["mount", "-o", "remount,bind,ro", case.state], check=True)

    case = Case("a read-only state folder", before=prepare)
    # Without a lock and a block map it must not run; but it says which file and why.
    end = case.seed.end(PATIENCE)
    report.check(f"{case.name}: refused in a line", end == 1 and len(case.seed.errors) <= 2
                 and "Read-only file system" in "".join(case.seed.errors), case.seed.said())


def full():
    """No room in the state folder, from the beginning and later."""
    disk = os.path.join(scratch, "small")
    mount_tmpfs(disk, 400 << 10)

    def fill():
        with open(os.path.join(disk, "filler"), "ab", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass

    case = Case("a full state folder", state=os.path.join(disk, "state"))
    node.listening(case.seed, PATIENCE)
    fill()
    case.serves()
    case.ends()
    case = Case("a state folder that is full at the start", state=os.path.join(disk, "state"))
    end = case.seed.end(PATIENCE) if not node.listening(case.seed, 5) else None
    said = "".join(case.seed.errors) + repr(case.seed.events)
    report.check(f"{case.name}: says so", "No space left" in said, case.seed.said())
    if end is None:
        case.ends()


def routing_table():
    """Bytes that no node of the DHT has written."""
    bad = {"torn": lambda good: good[:len(good) // 2], "empty": lambda _: b"",
           "random": lambda _: RANDOM.randbytes(3000), "huge": lambda _: b"d" * (4 << 20),
           "of another kind": lambda _: b"le"}
    good = b"d2:id20:abcdefghij01234567895:nodes26:" + b"abcdefghij0123456789" + \
        b"\x0a\x4e\x00\x07\x1a\xe1" + b"6:nodes60:e"
    for name, make in bad.items():
        def prepare(case, make=make):
            os.makedirs(case.state)
            with open(os.path.join(case.state, "dht.nodes"), "wb") as file:
                file.write(make(good))

        Case(f"a routing table that is {name}", before=prepare).goes_on("dht.nodes")

    def folder(case):
        os.makedirs(os.path.join(case.state, "dht.nodes/x"))

    Case("a folder in place of the routing table", before=folder).goes_on("dht.nodes")


def key_permissions():
    """A secret that others may read, or that we may not."""
    case = Case("a key file with wrong permissions", "--no-dht", "--no-lan", "--no-mapping")
    started = node.listening(case.seed, PATIENCE) and case.seed.wait("started")
    case.seed.stop(signal.SIGTERM)
    file = os.path.join(case.state, "keys", started["dataset_key"])
    report.equal(f"{case.name}: 0600 when made", os.stat(file).st_mode & 0o777, 0o600)
    for mode in (0o644, 0o660, 0o604):
        os.chmod(file, mode)
        case.begin()
        said = case.seed.wait_for_log("permission", "mode", "others may read", "0600", seconds=5)
        published = swarm.run("publish", case.source, "--state", case.state)
        lines = published.stderr.decode(errors="replace")
        report.check(f"{case.name} ({mode:o}): a clear line",
                     said or any(word in lines for word in ("600", "others")),
                     f"{case.seed.said()} {lines}")
        if case.seed.is_alive():
            case.serves()
            case.ends()
    os.chmod(file, 0o600)


def taken_ports():
    """The UDP port of the DHT, and port 5353 by a program that does not share."""
    taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    case = Case("a UDP port that is taken", start=False)
    taken.bind(("10.78.0.1", int(case.at.split(":")[1])))
    case.begin()
    case.says("UDP port")
    fault = case.seed.wait("status", PATIENCE, lambda each: (each["dht"] or {}).get("fault"))
    report.check(f"{case.name}: and in the status", fault is not None, repr(case.seed.status()))
    case.serves()
    case.ends()
    taken.close()
    for name, port in GARBAGE.items():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as greedy:
            greedy.bind(("", port))
            case = Case(f"a port of {name} that is not shared")
            case.says("no multicasts to")
            status = case.seed.fresh_status()
            faults = (status.get("local_network") or {}).get("faults")
            report.check(f"{case.name}: and in the status", bool(faults), repr(status))
            case.serves()
            case.ends()


def no_network():
    """Nothing but ourselves; then no way for multicasts; then an interface that comes later."""
    alone = ["unshare", "--net", "--"]
    case = Case("no network at all", start=False)
    case.at = "0.0.0.0:6999"
    case.begin(prefix=alone)
    node.listening(case.seed, PATIENCE)
    status = case.seed.wait("status", PATIENCE, lambda each: each.get("mappings"))
    report.check(f"{case.name}: the status says so", status is not None
                 and status["local_network"]["interfaces"] == []
                 and status["dht"]["bootstrapping"] is True
                 and {each["state"] for each in status["mappings"]} == {"no_router"}, repr(status))
    time.sleep(2)
    report.check(f"{case.name}: and nothing floods the log", len(case.seed.errors) < 10,
                 case.seed.said())
    case.ends()
    ip("link", "set", "eth0", "multicast", "off")
    case = Case("no multicast on the interface")
    status = case.seed.wait("status", PATIENCE, lambda each: each.get("local_network"))
    report.equal(f"{case.name}: the status says so",
                 status and status["local_network"]["interfaces"], [])
    case.serves()
    ip("link", "set", "eth0", "multicast", "on")
    # Nobody tells of that flag alone; an address that comes makes us look.
    ip("addr", "add", "10.78.0.9/24", "dev", "eth0")
    ip("addr", "del", "10.78.0.9/24", "dev", "eth0")
    back = case.seed.wait("status", PATIENCE, lambda each: (each.get("local_network") or {})
                          .get("interfaces"))
    report.check(f"{case.name}: and takes part when there is", back is not None,
                 repr(case.seed.status()))
    case.ends()
    ip("route", "add", "default", "via", "10.78.0.77")
    Case("a router that is gone").goes_on()
    ip("route", "del", "default")
    # Listens everywhere, so that names of public nodes are asked for, of a name server that is silent.
    case = Case("a silent name server", start=False)
    case.at = case.at.replace("10.78.0.1", "0.0.0.0")
    case.begin("--peer", "no.such.host.example:6881")
    case.at = case.at.replace("0.0.0.0", "10.78.0.1")
    case.goes_on()


def messages():
    """Datagrams that begin as they should, and go on otherwise."""
    query = b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz123456e1:q9:get_peers1:t2:aa1:y1:qe"
    dns = bytes.fromhex("000084000000000100000000") + b"\x0b_bittorrent\x04_tcp\x05local\x00" + \
        bytes.fromhex("000c000100000078") + b"\x00\x02\xc0\x0c"
    loop = bytes.fromhex("000000000001000000000000") + b"\xc0\x0c\x00\x0c\x00\x01"
    lsd = b"BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\nPort: 6881\r\nInfohash: " + \
        b"a" * 40 + b"\r\n\r\n\r\n"
    for whole in (query, dns, loop, lsd):
        yield whole
        for _ in range(60):
            torn = bytearray(whole)
            for _ in range(RANDOM.randint(1, 4)):
                torn[RANDOM.randrange(len(torn))] = RANDOM.randrange(256)
            yield bytes(torn[:RANDOM.randint(1, len(torn))])
    for size in (0, 1, 12, 100, 1400, 9000):
        yield RANDOM.randbytes(size)
    yield b"d" * 1400
    yield b"l" * 1400 + b"e" * 1400
    yield b"d1:a" + b"9" * 400 + b":"


def garbage():
    """From the host next door, to all that is open."""
    case = Case("garbage in datagrams", start=False)
    case.at = case.at.replace("10.78.0.1", "0.0.0.0")
    port = int(case.at.split(":")[1])
    case.begin()
    case.at = case.at.replace("0.0.0.0", "10.78.0.1")
    node.listening(case.seed, PATIENCE)
    sender = subprocess.run(
        ["nsenter", "--net=/run/netns/far", sys.executable, "-c", SENDER, str(port)],
        input=b"".join(len(each).to_bytes(4, "big") + each for each in messages()),
        capture_output=True, check=False)
    report.equal(f"{case.name}: sent", sender.returncode, 0)
    status = case.seed.fresh_status()
    report.check(f"{case.name}: the node stays", case.seed.is_alive() and bool(status),
                 case.seed.said())
    report.check(f"{case.name}: and says nothing of each", len(case.seed.errors) < 10,
                 f"{len(case.seed.errors)} lines; {case.seed.said()}")
    report.check(f"{case.name}: nobody was found by it", status.get("known_peers", 0) <= 1,
                 repr(status))
    case.serves()
    case.ends()


SENDER = """
import socket, sys
everything = sys.stdin.buffer.read()
places = [("10.78.0.1", int(sys.argv[1])), ("10.78.0.1", 5353), ("224.0.0.251", 5353),
          ("10.78.0.1", 6771), ("239.192.152.143", 6771)]
out = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in (0, 5353)]
out[1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
out[1].bind(("", 5353))
for each in out:
    each.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
    each.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
    each.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("10.78.0.2"))
at = 0
while at < len(everything):
    size = int.from_bytes(everything[at:at + 4], "big")
    for place in places:
        for each in out:
            each.sendto(everything[at + 4:at + 4 + size], place)
    at += 4 + size
"""


def clock():
    """The time of day jumps by years, forwards and backwards (libfaketime, for this one program); and a
    machine's time since boot is longer than anybody has tested."""
    library = next((each for each in FAKETIME if os.path.exists(each)), None)
    if library is None:
        report.note("no libfaketime here: the time of day does not jump")
    else:
        jump = os.path.join(scratch, "jump")
        case = Case("a clock that jumps", start=False)

        def set_clock(text):
            with open(jump, "w", encoding="ascii") as file:
                file.write(text + "\n")

        # Where the library keeps what its programs share: nothing of it stays.
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/dev/shm"], check=True)
        set_clock("+0")
        # The first program that the library is loaded into does not see its arguments in /proc, where
        # Swift looks for them: nice is that.
        case.begin(prefix=["env", f"LD_PRELOAD={library}", f"FAKETIME_TIMESTAMP_FILE={jump}",
                           "FAKETIME_NO_CACHE=1", "NO_FAKE_STAT=1", "FAKETIME_DONT_FAKE_MONOTONIC=1",
                           "nice", "-n", "0"])
        node.listening(case.seed, PATIENCE)
        for text in ("+10y", "-5y", "+0"):
            set_clock(text)
            time.sleep(1.5)
            report.check(f"{case.name} ({text}): the node stays", bool(case.seed.fresh_status()),
                         case.seed.said())
        case.serves()
        case.ends()
    later = ["unshare", "--time", "--boottime", "400000000", "--monotonic", "400000000", "--fork",
             "--kill-child", "--"]
    if subprocess.run([*later, "true"], capture_output=True, check=False).returncode != 0:
        report.note("no time namespaces here")
        return
    case = Case("a machine that is up for years", start=False)
    case.begin(prefix=later)
    case.serves()
    # The one that is told to stop is unshare, which leaves; what it started is killed with it.
    case.seed.stop(signal.SIGTERM)


def ahead():
    """The folder is changed by its owner: the status says so, and what is sent is right or nothing."""
    case = Case("a folder that is ahead", "--no-dht", "--no-lan", "--no-mapping")
    node.listening(case.seed, PATIENCE)
    report.equal(f"{case.name}: not at first", case.seed.fresh_status().get("ahead"), None)
    first = sorted(os.listdir(case.source))[0]
    shutil.copy2(os.path.join(case.source, first), os.path.join(case.top, "kept"))
    with open(os.path.join(case.source, "added"), "wb") as file:
        file.write(b"new")
    with open(os.path.join(case.source, first), "ab") as file:
        file.write(b"more")
    told = case.seed.wait("status", PATIENCE, lambda each: each["ahead"])
    report.check(f"{case.name}: names what differs", told is not None
                 and told["ahead"]["count"] == 2 and told["ahead"]["version"] == 1
                 and [os.path.basename(each) for each in told["ahead"]["files"]] ==
                 sorted(["added", first]), repr(told and told["ahead"]))
    case.says("ahead of its published version 1: 2 files differ")
    published = swarm.run("publish", case.source, "--state", case.state)
    report.equal(f"{case.name}: published", published.returncode, 0)
    level = case.seed.wait("status", PATIENCE, lambda each: each["dataset"]["version"] == 2
                           and each["ahead"] is None)
    report.check(f"{case.name}: no more when it is published", level is not None,
                 repr(case.seed.status()))
    case.ends()


scratch = tempfile.mkdtemp(prefix="swarm-discovery-faults-")
try:
    content = os.path.join(scratch, "content")
    os.makedirs(content)
    for number, size in enumerate((300_000, 70_001, 5)):
        with open(os.path.join(content, f"file{number}"), "wb") as out:
            out.write(RANDOM.randbytes(size))
    hosts()
    wanted = sys.argv[1:]
    for each in (read_only, full, routing_table, key_permissions, taken_ports, no_network, garbage,
                 clock, ahead):
        if not wanted or each.__name__ in wanted:
            each()
finally:
    subprocess.run(["umount", "-l", "/etc/resolv.conf"], capture_output=True, check=False)
    shutil.rmtree(scratch, ignore_errors=True)
report.finish()
