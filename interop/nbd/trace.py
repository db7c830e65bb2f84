"""Boot traces with the real program: what a client reads is recorded, published beside the image, and
fetched by others before they read it; what is no trace, or a hostile one, costs a bounded amount."""
import hashlib
import json
import os
import random
import shutil
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from isolate import isolated

isolated()
import nbd
import node
import swarm
from clients import Libtorrent
from report import Report

report = Report()
ALONE = ("--no-dht", "--no-lan", "--no-mapping")
SEED = "10.99.0.1:6901"
SIZE = 48 << 20
PIECE = 64 << 10
# What the boot reads: offset and length. None follows another, since those may be one range.
READS = [(0, 4096), (30 << 20, 100_000), (7 << 20, 4096), ((7 << 20) + 8192, 4096),
         (47 << 20, 512), (0, 512), (12345, 678)]
RANGES = [[0, 4096], [30 << 20, 100_000], [7 << 20, 4096], [(7 << 20) + 8192, 4096], [47 << 20, 512], [12345, 678]]


def number(value):
    """As docs/trace.md has it: seven bits a byte, low bits first."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out) + bytes([value])


def encode(size, reads):
    """A trace of (milliseconds, offset, length), written by docs/trace.md alone."""
    data = b"swarmtrc\x01" + number(size) + number(len(reads))
    time_before = end = 0
    for milliseconds, offset, length in reads:
        step = offset - end
        data += number(milliseconds - time_before) + number(2 * step if step >= 0 else -2 * step - 1)
        data += number(length)
        time_before, end = milliseconds, offset + length
    return data + hashlib.sha256(data).digest()


class Joiner:
    """A node that has nothing and offers the files."""

    count = 0

    def __init__(self, what, *more, state=None):
        Joiner.count += 1
        self.folder = tempfile.mkdtemp(dir=scratch)
        self.state = state or os.path.join(self.folder, "state")
        self.socket = os.path.join(self.folder, "nbd")
        self.node = node.join(what, os.path.join(self.folder, "out"), self.state,
                              f"10.99.0.{2 + Joiner.count % 20}:6902", *ALONE, "--nbd", self.socket,
                              "--sparse", *more, peers=[SEED])
        self.exported = self.node.wait("exported")

    def open(self, name=""):
        client = nbd.NBD()
        client.add_meta_context("x-swarm:present")
        if name:
            client.set_export_name(name)
        client.connect_unix(self.socket)
        return client

    def present(self, client, start=0, count=SIZE):
        """Whether bytes are here, as [(start, end)]."""
        runs = []
        client.block_status(count, start, lambda _, __, entries, ___: runs.extend(entries) or 0)
        found, place = [], start
        for length, flags in zip(runs[::2], runs[1::2]):
            if flags:
                found.append((place, place + length))
            place += length
        return found

    def has(self, client, ranges, seconds):
        """Waits until the ranges are here."""
        end = time.monotonic() + seconds
        missing = list(ranges)
        while missing and time.monotonic() < end:
            here = self.present(client)
            missing = [(at, count) for at, count in missing
                       if not any(a <= at and at + count <= b for a, b in here)]
            time.sleep(0.05)
        return not missing

    def settled(self, seconds=60, rest=3):
        """What is here when nothing has come for some seconds."""
        end = time.monotonic() + seconds
        done, since = self.done(), time.monotonic()
        while time.monotonic() < min(end, since + rest):
            now = self.done()
            if now != done:
                done, since = now, time.monotonic()
        return done

    def done(self):
        """Bytes of content that came, whatever became of them."""
        return node.downloaded(self.node.fresh_status())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.node.__exit__()


def close(client):
    client.shutdown()


def traced(*more):
    return swarm.run("trace", *more)


def listed(state, *more):
    answer, _ = swarm.run_json("trace", key, "--state", state, *more)
    return answer


def boots():
    """What is read is what the trace says, whether the bytes were here or not; who just looks does not
    push a boot out."""
    with Joiner(link) as first:
        client = first.open()
        wrong = sum(client.pread(count, at) != disk[at:at + count] for at, count in READS)
        report.equal("boot: wrong reads", wrong, 0)
        close(client)
        first.node.stop()
        trace = listed(first.state)
        report.equal("boot: ranges", [[each["offset"], each["length"]] for each in trace["reads"]],
                     RANGES)
        report.equal("boot: of which file", (trace["path"], trace["file_length"], trace["version"]),
                     ("disk.img", SIZE, 1))
        report.check("boot: times do not fall", sorted(
            each["milliseconds"] for each in trace["reads"]) ==
            [each["milliseconds"] for each in trace["reads"]])
    # All is here now: the node fetches nothing, and records all the same.
    shutil.rmtree(next(os.path.join(first.state, "datasets", each, "traces")
                       for each in os.listdir(os.path.join(first.state, "datasets"))
                       if os.path.isdir(os.path.join(first.state, "datasets", each, "traces"))))
    report.check("boot: gone", b"no boot of it was recorded" in
                 traced(key, "--state", first.state).stderr)
    with Joiner(link, state=first.state) as again:
        client = again.open()
        for at, count in READS[:5]:
            client.pread(count, at)
        time.sleep(5)
        # A kill loses at most what was read in the last seconds.
        again.node.kill()
        report.equal("killed: ranges", [[each["offset"], each["length"]] for each
                                        in listed(first.state)["reads"]], RANGES[:5])
    with Joiner(link, state=first.state) as again:
        client = again.open()
        client.pread(678, 12345)
        close(client)
        time.sleep(0.5)
        report.equal("restarted: it goes on", [[each["offset"], each["length"]] for each
                                               in listed(first.state)["reads"]], RANGES)
        client = again.open()
        client.pread(512, 20 << 20)
        close(client)
        again.node.stop()
        report.equal("a look is no boot", [[each["offset"], each["length"]] for each
                                           in listed(first.state)["reads"]], RANGES)
    return first.state


def written(state):
    """`swarm trace` in its forms, and what it refuses."""
    trace = os.path.join(scratch, "boot.trace")
    result = traced(key, "disk.img", "--state", state, "-o", trace)
    report.check("trace: written", result.returncode == 0, result)
    with open(trace, "rb") as file:
        data = file.read()
    reads = [(each["milliseconds"], each["offset"], each["length"])
             for each in listed(state)["reads"]]
    report.check("trace: the bytes are those of docs/trace.md", data == encode(SIZE, reads))
    report.equal("trace: on standard output", traced(key, "--state", state).stdout, data)
    text = traced(trace, "--text").stdout.decode().splitlines()
    report.equal("trace: text", text[2:], [f"{a} {b} {c}" for a, b, c in reads])
    shown, _ = swarm.run_json("trace", trace)
    report.equal("trace: of a file", shown["bytes"], sum(each[1] for each in RANGES))
    for name, words, said in (
            ("no such file", (key, "nothing.img"), b"no file nothing.img"),
            ("no boot of it", (key, "cmdline"), b"no boot of cmdline"),
            ("another state", (key, "--state", os.path.join(scratch, "none")), b"nothing is known"),
            ("both", (key, "--json", "--text"), b"--json is alone"),
            ("what is no link", (os.path.join(source, "cmdline"),), b"")):
        more = () if "--state" in words else ("--state", state)
        result = traced(*words, *more)
        report.check(f"trace: {name}", result.returncode in (1, 64) and said in result.stderr, result)
    broken = os.path.join(scratch, "broken.trace")
    with open(broken, "wb") as file:
        file.write(data[:-1] + bytes([data[-1] ^ 1]))
    result = traced(broken)
    report.check("trace: broken", result.returncode == 1 and b"checksum" in result.stderr, result)
    return trace, data


def publish(*more, **keywords):
    return swarm.run_json("publish", source, "--state", seed_state, "--no-spread", *more,
                          **keywords)[0]


def published(trace, data):
    """The trace becomes a file of the version, and the folder is left alone."""
    before = sorted(os.listdir(source))
    for name, more, said in (
            ("of no file of that size", (trace + "=cmdline2",), b"there is no cmdline2"),
            ("that is none", (os.path.join(source, "cmdline"),), b"no boot trace"),
            ("recorded nowhere", ("recorded",), b"was recorded here"),
            ("twice", (trace, "--trace", trace), b"two boot traces")):
        result = swarm.run("publish", source, "--state", seed_state, "--no-spread", "--trace", *more)
        report.check(f"publish: a trace {name}", result.returncode == 1 and said in result.stderr,
                     result)
    second = publish("--trace", trace)
    report.equal("publish: version 2", (second["version"], second["published_now"],
                                        second["traces"], second["file_count"]),
                 (2, True, ["disk.img"], 3))
    report.check("publish: little is new", second["differing_bytes"] <= PIECE, second)
    report.equal("publish: again", publish("--trace", trace)["published_now"], False)
    report.equal("publish: nothing changed", publish()["published_now"], False)
    report.equal("publish: the folder is left alone", sorted(os.listdir(source)), before)
    report.check("publish: the seed takes it up", seed.wait("version", 20), seed.said())
    # A client that knows nothing of traces gets a file.
    theirs = os.path.join(scratch, "libtorrent")
    client = Libtorrent("2.0.8", "10.99.0.30:6930", theirs, link=second["magnet"], peers=[SEED])
    if report.check("libtorrent: has version 2", client.finished(40), client.said()):
        with open(os.path.join(theirs, "image/.swarm/traces/disk.img.trace"), "rb") as file:
            report.equal("libtorrent: the trace", file.read(), data)
        with open(os.path.join(theirs, "image/disk.img"), "rb") as file:
            report.check("libtorrent: the image", file.read() == disk)
    client.stop()
    return second


def fetched(name, what):
    """An open export is enough for all that the trace names, and nothing much else."""
    with Joiner(what) as joiner:
        client = joiner.open("disk.img")
        used = joiner.node.wait("trace", 20)
        report.equal(f"{name}: used", used and (used["ranges"], used["bytes"], used["fault"]),
                     (len(RANGES), sum(each[1] for each in RANGES), None))
        report.check(f"{name}: all of it comes", joiner.has(client, RANGES, 20), joiner.node.said())
        # The rest of the pieces that it touches, so that others can have them, and the trace.
        touched = {at // PIECE for start, count in RANGES
                   for at in range(start, start + count, 4096)} | {
                       (start + count - 1) // PIECE for start, count in RANGES}
        time.sleep(1)
        done = joiner.done()
        report.check(f"{name}: nothing much else comes", done <= (len(touched) + 1) * PIECE,
                     f"{done} bytes, {len(touched)} pieces")
        wrong = sum(client.pread(count, at) != disk[at:at + count] for at, count in READS)
        report.equal(f"{name}: wrong reads", wrong, 0)
        close(client)


def looked_at(what):
    """Who only looks at an export does not have all of its trace fetched; who comes back has."""
    with Joiner(what, "--download-limit", "64K") as joiner:
        client = joiner.open("disk.img")
        joiner.node.wait("trace", 20)
        close(client)
        time.sleep(1)
        before = joiner.done()
        time.sleep(2)
        report.check("looked at: little goes on", joiner.done() - before <= 2 * PIECE,
                     f"{before} bytes, then {joiner.done()}")
        client = joiner.open("disk.img")
        report.check("looked at: it goes on when somebody reads", joiner.has(client, RANGES, 30),
                     joiner.node.said())
        close(client)


def unwanted(what):
    """--no-trace and --no-read-ahead, and an export that nobody opens."""
    for more in (("--no-trace",), ("--no-read-ahead",), None):
        with Joiner(what, *(more or ())) as joiner:
            client = joiner.open() if more else None
            time.sleep(2)
            name = " ".join(more) if more else "nobody reads"
            report.equal(f"{name}: nothing is fetched", joiner.done(), 0)
            report.check(f"{name}: no trace is used", joiner.node.wait("trace", 0.1) is None)
            if client:
                close(client)


def recorded(trace):
    """A publisher that boots its own image needs no file in between."""
    with Joiner(key, state=seed_state) as joiner:
        client = joiner.open("disk.img")
        client.pread(70_000, 3 << 20)
        close(client)
        joiner.node.stop()
    version = publish("--trace", "recorded")
    report.equal("recorded: published", (version["version"], version["traces"]), (3, ["disk.img"]))
    shipped = os.path.join(seed_state, "datasets", key, "shipped")
    newest = max((os.path.join(shipped, each) for each in os.listdir(shipped)), key=os.path.getmtime)
    answer, _ = swarm.run_json("trace", newest)
    report.equal("recorded: what was read", sum(each["length"] for each in answer["reads"]), 70_000)
    report.equal("recorded: and back", publish("--trace", trace)["version"], 4)


def later(trace):
    """The trace stays with what follows, and gives way to what is the user's."""
    with open(os.path.join(source, "cmdline"), "ab") as file:
        file.write(b" quiet")
    third = publish()
    report.equal("later: it stays", (third["version"], third["traces"]), (5, ["disk.img"]))
    dropped = publish("--drop-traces")
    report.equal("later: dropped", (dropped["version"], dropped["traces"]), (6, []))
    again = publish("--trace", trace + "=disk.img")
    report.equal("later: and back", (again["version"], again["traces"]), (7, ["disk.img"]))
    own = os.path.join(source, ".swarm/traces")
    os.makedirs(own)
    with open(os.path.join(own, "disk.img.trace"), "wb") as file:
        file.write(b"mine")
    result = swarm.run("publish", source, "--state", seed_state, "--no-spread", "--trace", trace)
    report.check("later: a clash is said", result.returncode == 1
                 and b"the folder has .swarm/traces/disk.img.trace" in result.stderr, result)
    mine = publish()
    report.equal("later: the user's own is part of the data", (mine["version"], mine["file_count"]),
                 (8, 3))
    with open(os.path.join(own, "disk.img.trace"), "rb") as file:
        report.equal("later: and not touched", file.read(), b"mine")


def hostile():
    """Traces that are wrong or greedy, as a part of somebody's torrent."""
    length = 100 << 20
    bound = 64 << 20
    folder = os.path.join(scratch, "hostile")
    os.makedirs(os.path.join(folder, ".swarm/traces"))
    data = random.Random(3).randbytes(length)
    with open(os.path.join(folder, "disk.img"), "wb") as file:
        file.write(data)
    good = encode(length, [(0, 0, 4096), (5, 50 << 20, 4096)])
    many = [(0, at * 1600, 1) for at in range(65_536)]
    cases = {
        "garbage": (random.Random(4).randbytes(5000), 0, "no boot trace"),
        "cut short": (good[:-5], 0, "checksum"),
        "a bit turned": (good[:20] + bytes([good[20] ^ 8]) + good[21:], 0, "checksum"),
        "beyond the end": (encode(length, [(0, length - 10, 4096)]), 0, "no bytes of the file"),
        "far beyond": (encode(length, [(0, 1 << 50, 4096)]), 0, "no bytes of the file"),
        "of a larger file": (encode(length * 8, [(0, 1 << 20, 4096), (9, length * 2, length)]),
                             2 * PIECE, None),
        "the whole disk": (encode(length, [(0, 0, length)]), bound + PIECE, None),
        "backwards": (encode(length, [(0, at << 20, 1 << 20) for at in reversed(range(100))]),
                      bound + PIECE, None),
        "a byte everywhere": (encode(length, many), bound + PIECE, None),
        "a byte of every piece": (encode(length, [(0, at * PIECE + 9, 1) for at in range(1600)]),
                                  bound + PIECE, None),
        "too large to be one": (b"swarmtrc" * 200_000, 0, False),
    }
    for name, (trace, most, fault) in cases.items():
        with open(os.path.join(folder, ".swarm/traces/disk.img.trace"), "wb") as file:
            file.write(trace)
        torrent = os.path.join(scratch, "hostile.torrent")
        swarm.run_json("create", folder, "-o", torrent, "--piece-length", "64K")
        with node.seed(torrent, tempfile.mkdtemp(dir=scratch), SEED, *ALONE, "--data",
                       scratch) as server:
            node.listening(server)
            with Joiner(torrent) as joiner:
                client = joiner.open("disk.img")
                used = joiner.node.wait("trace", 20 if fault is not False else 1)
                if fault is False:
                    report.check(f"{name}: is not even fetched", used is None, used)
                elif fault:
                    report.check(f"{name}: is refused", used and fault in (used["fault"] or ""), used)
                    report.check(f"{name}: a line says so", joiner.node.wait_for_log("is not used"))
                    report.equal(f"{name}: in one line", sum(
                        "is not used" in line for line in joiner.node.errors) + sum(
                            "is not used" in json.dumps(each) for each in joiner.node.events), 1)
                else:
                    report.check(f"{name}: is used", used and used["fault"] is None, used)
                at = 77 << 20
                report.check(f"{name}: the export works", client.pread(8192, at) == data[at:at + 8192])
                done = joiner.settled()
                # The trace, its piece, and what was read.
                allowed = most + 4 * PIECE + (len(trace) if fault is not False else 0)
                report.check(f"{name}: costs no more than it may", done <= allowed,
                             f"{done} bytes, {allowed} allowed")
                if most == bound + PIECE:
                    report.check(f"{name}: and is fetched so far", done >= bound, f"{done} bytes")
                    report.check(f"{name}: which is said", used["cut"], used)
                close(client)


with tempfile.TemporaryDirectory(prefix="swarm-trace-") as scratch:
    source = os.path.join(scratch, "image")
    seed_state = os.path.join(scratch, "seed")
    os.makedirs(source)
    disk = random.Random(1).randbytes(SIZE)
    with open(os.path.join(source, "disk.img"), "wb") as file:
        file.write(disk)
    with open(os.path.join(source, "cmdline"), "wb") as file:
        file.write(b"console=ttyS0")
    with node.seed(source, seed_state, SEED, *ALONE, "--piece-length", "64K") as seed:
        started = seed.wait("started")
        link, key = started["magnet"], started["dataset_key"]
        trace, data = written(boots())
        second = published(trace, data)
        fetched("by link", second["magnet"])
        unwanted(second["magnet"])
        looked_at(second["magnet"])
    with node.seed(source, seed_state, SEED, *ALONE) as seed:
        node.listening(seed)
        report.check("seed: it has all of it", node.is_whole(seed), seed.said())
        fetched("from a restarted seed", second["magnet"])
        recorded(trace)
        later(trace)
    hostile()
report.finish()
