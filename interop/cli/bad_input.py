"""Bad input to the real program: each is refused with a status that is not 0 and no signal, one
clear line on standard error, nothing on standard output, nothing written, and in bounded memory.
Two exceptions: a command line that cannot be understood is answered with its usage too, and
`inspect` shows a torrent whose piece layers are not right, besides refusing it.
"""
import copy
import concurrent.futures
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import handmade
from bencode import Raw, encode
from report import Report
from swarm import PROGRAM

report = Report()
# KiB. A .torrent may have 128 MiB and eight million values (a million files), which is what bounds
# the memory of a hostile one; ours is a little more than twice that.
MOST_MEMORY = 300 << 10
PATIENCE = 60  # seconds
KINDS = ("v1", "v2", "hybrid")


def run(arguments, folder):
    """Runs the program in `folder`: (status, negative for a signal; output; errors; most KiB)."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        pid = os.posix_spawn(
            b"/usr/bin/env", [b"env", b"-C", folder, b"timeout", b"%d" % PATIENCE,
                              os.path.abspath(os.fsencode(PROGRAM))] + arguments, os.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, out.fileno(), 1),
                          (os.POSIX_SPAWN_DUP2, err.fileno(), 2)])
        _, status, usage = os.wait4(pid, 0)
        out.seek(0)
        err.seek(0)
        return os.waitstatus_to_exitcode(status), out.read(), err.read(), usage.ru_maxrss


def listing(folder):
    return sorted(os.path.join(top, name) for top, folders, names in os.walk(folder)
                  for name in folders + names)


USAGE = 64  # the status for a command line that cannot be understood


def fault(arguments, folder, may_show=False):
    """What is wrong with how the program refuses; None when it refuses well. `may_show`: it may
    print a result all the same."""
    before = listing(folder)
    status, out, err, memory = run(arguments, folder)
    if status <= 0 or status >= 124:
        return f"status {status}: {err[:300]!r}"
    lines = err.decode(errors="replace").rstrip("\n").split("\n")
    if status == USAGE:
        lines = [line for line in lines if not line.startswith(("Usage: ", "Help: ", "  See "))]
    if len(lines) != 1 or not lines[0].startswith("swarm: ") or len(lines[0]) > 1500:
        return f"standard error is {err[:500]!r}"
    if out and not may_show:
        return f"standard output is {out[:300]!r}"
    if memory > MOST_MEMORY:
        return f"{memory >> 10} MiB of memory"
    if listing(folder) != before:
        return f"wrote {set(listing(folder)) ^ set(before)}"
    return None


class Bench:
    """Runs cases on all cores; a case is (what, arguments), or (what, bytes of a torrent)."""

    def __init__(self, scratch):
        self.scratch = scratch
        self.count = 0

    def refuse(self, cases, commands=(b"inspect", b"verify")):
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            work = []
            for what, torrent in cases:
                self.count += 1
                folder = os.path.join(self.scratch, b"%d" % self.count)
                os.makedirs(os.path.join(folder, b"target"))
                if isinstance(torrent, list):
                    work.append((what, pool.submit(fault, torrent, folder)))
                    continue
                with open(os.path.join(folder, b"bad.torrent"), "wb") as file:
                    file.write(torrent)
                for command in commands:
                    arguments = [command, b"bad.torrent"]
                    arguments += [b"target"] if command == b"verify" else []
                    name = f"{command.decode()}: {what}"
                    may_show = command == b"inspect" and "layer" in what
                    work.append((name, pool.submit(fault, arguments, folder, may_show)))
            for what, future in work:
                found = future.result()
                report.check(what, found is None, found)

    def accept(self, what, torrent):
        """The other side: what is right is not refused, so a refusal means something."""
        folder = os.path.join(self.scratch, b"right")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, b"right.torrent"), "wb") as file:
            file.write(torrent)
        status, _, err, _ = run([b"inspect", b"right.torrent"], folder)
        report.check(f"inspect takes {what}", status == 0, err[:300])


def encodings():
    """Bytes that are no canonical bencode."""
    whole = handmade.small("v2")
    yield "a byte after the end", whole + b"e"
    yield "a torrent twice", whole + whole
    yield "an empty file", b""
    yield "text", b"hello"
    yield "a list", b"le"
    yield "100,000 lists in each other", b"l" * 100_000 + b"e" * 100_000
    yield "100,000 lists never closed", b"l" * 100_000
    yield "100,000 dictionaries", b"d1:a" * 100_000 + b"le" + b"e" * 100_000
    yield "deep in info", encode({"info": Raw(b"l" * 100_000 + b"e" * 100_000)})
    yield "ten million empty lists", b"l" + b"le" * 10_000_000 + b"e"
    for text in (b"i-0e", b"i00e", b"i01e", b"i-01e", b"ie", b"i-e", b"i 1e", b"i+1e", b"i1.0e",
                 b"i9223372036854775808e", b"i-9223372036854775809e", b"i99999999999999999999999e",
                 b"01:a", b"-1:a", b"9223372036854775808:", b"18446744073709551617:a",
                 b"99999999999:", b":", b"1a", b"x", b"i1"):
        yield f"{text.decode()} as a value", encode({"a": Raw(text), "info": {}})
    yield "keys out of order", b"d4:infode1:ai1ee"
    yield "a key twice", b"d1:ai1e1:ai2ee"
    yield "a key that is a number", b"di1ei2ee"
    yield "a key without a value", b"d1:ae"
    right = handmade.torrent("v2")
    tail = encode(right[b"info"])[1:]
    yield "info: keys out of order", encode({b"info": Raw(b"d1:zi1e" + tail)})
    yield "info: a key twice", encode({b"info": Raw(b"d9:file treede" + tail)})


def edited(kind, edit, files=None):
    torrent = copy.deepcopy(handmade.torrent(kind, files))
    edit(torrent, torrent[b"info"])
    return encode(torrent)


def values():
    """Well-formed bencode that is no torrent."""
    def case(what, kind, edit, files=None):
        return f"{what} ({kind})", edited(kind, edit, files)

    for kind in KINDS:
        for key in (b"name", b"piece length"):
            yield case(f"no {key.decode()}", kind, lambda t, i, key=key: i.pop(key))
            for wrong in (Raw(b"le"), Raw(b"de")):
                yield case(f"{key.decode()} is {wrong.bytes}", kind,
                           lambda t, i, key=key, wrong=wrong: i.update({key: wrong}))
        yield case("no info", kind, lambda t, i: t.pop(b"info"))
        yield case("info is a list", kind, lambda t, i: t.update({b"info": []}))
        for length in (0, -1, 1, 16383, 1 << 31, 1 << 62) + ((16385, 49152, 8192)
                                                              if kind != "v1" else ()):
            yield case(f"piece length {length}", kind,
                       lambda t, i, length=length: i.update({b"piece length": length}))
        for name in (b"", b".", b"..", b"/", b"a/b", b"/etc", b"a\0b", b"x" * 256):
            yield case(f"name {name[:9]}", kind, lambda t, i, name=name: i.update({b"name": name}))
    for version in (0, 1, 3, -2, 1 << 62):
        yield case(f"meta version {version}", "v2",
                   lambda t, i, version=version: i.update({b"meta version": version}))
    yield case("no meta version", "v2", lambda t, i: i.pop(b"meta version"))
    yield from paths(case)
    yield from lengths(case)
    yield from layers(case)
    yield from halves(case)


BAD_NAMES = (b"", b".", b"..", b"/", b"../x", b"a/b", b"/etc/passwd", b"a\0b", b"x" * 256)


def paths(case):
    for name in BAD_NAMES:
        what = f"path element {name[:12]}"
        leaf = {b"": {b"length": 0}}
        if name:
            yield case(what, "v2", lambda t, i, n=name: i[b"file tree"].update({n: leaf}))
        yield case(what + " as a folder", "v2",
                   lambda t, i, n=name: i[b"file tree"][b"dir"].update({n: {b"x": leaf}}))
        for parts in ([name], [b"dir", name], [name, b"x"]):
            yield case(f"path {parts}", "v1",
                       lambda t, i, parts=parts: i[b"files"][-1].update({b"path": parts}))
    yield case("an empty path", "v1", lambda t, i: i[b"files"][0].update({b"path": []}))
    yield case("a path of numbers", "v1", lambda t, i: i[b"files"][0].update({b"path": [1]}))
    yield case("a path 5,000 deep", "v1",
               lambda t, i: i[b"files"][-1].update({b"path": [b"d"] * 5000}))
    yield case("a path of 100,000 bytes", "v1",
               lambda t, i: i[b"files"][-1].update({b"path": [b"x" * 200] * 500}))
    yield case("a path that is a file and a folder", "v2",
               lambda t, i: i[b"file tree"][b"a"].update({b"x": {b"": {b"length": 0}}}))
    yield case("a path that is a file and a folder", "v1",
               lambda t, i: i[b"files"].append({b"length": 0, b"path": [b"a", b"x"]}))
    yield case("the same path twice", "v1",
               lambda t, i: i[b"files"].append({b"length": 0, b"path": [b"a"]}))
    yield case("an empty tree", "v2", lambda t, i: i.update({b"file tree": {}}))
    yield case("no files", "v1", lambda t, i: i.update({b"files": []}))

    def deep(torrent, info):
        tree = Raw(b"d1:d" * 5000 + b"d0:d6:lengthi0eee" + b"e" * 5000)
        info[b"file tree"] = tree

    yield case("a tree 5,000 deep", "v2", deep)


def lengths(case):
    for length in (-1, 1 << 63, (1 << 64) + 5, (1 << 63) - 1):
        raw = Raw(b"i%de" % length)
        yield case(f"file of {length} bytes", "v2",
                   lambda t, i, raw=raw: i[b"file tree"][b"a"][b""].update({b"length": raw}))
        yield case(f"file of {length} bytes", "v1",
                   lambda t, i, raw=raw: i[b"files"][0].update({b"length": raw}))
    yield case("lengths that add up past 2^64", "v1", lambda t, i: [
        each.update({b"length": (1 << 63) - 1}) for each in i[b"files"]])
    yield case("no length", "v2", lambda t, i: i[b"file tree"][b"a"][b""].pop(b"length"))
    yield case("a root of 31 bytes", "v2",
               lambda t, i: i[b"file tree"][b"a"][b""].update({b"pieces root": bytes(31)}))
    yield case("no root", "v2", lambda t, i: i[b"file tree"][b"a"][b""].pop(b"pieces root"))
    for cut in (-1, -20, 1, 20):
        yield case(f"pieces longer by {cut}", "v1", lambda t, i, cut=cut: i.update(
            {b"pieces": i[b"pieces"][:cut] if cut < 0 else i[b"pieces"] + bytes(cut)}))
    yield case("no pieces", "v1", lambda t, i: i.pop(b"pieces"))
    yield case("length and files", "v1", lambda t, i: i.update({b"length": 5}))


def layers(case):
    key = b"piece layers"

    def first(torrent):
        return next(iter(torrent[key]))

    for kind in ("v2", "hybrid"):
        yield case("no piece layers", kind, lambda t, i: t.pop(key))
        yield case("piece layers that are a list", kind, lambda t, i: t.update({key: []}))
        yield case("a missing layer", kind, lambda t, i: t[key].pop(first(t)))
        for cut in (-1, -32):
            yield case(f"a layer shorter by {-cut}", kind, lambda t, i, cut=cut: t[key].update(
                {first(t): t[key][first(t)][:cut]}))
        for more in (1, 32):
            yield case(f"a layer longer by {more}", kind, lambda t, i, more=more: t[key].update(
                {first(t): t[key][first(t)] + bytes(more)}))
        yield case("a forged layer", kind, lambda t, i: t[key].update(
            {first(t): bytes([t[key][first(t)][0] ^ 1]) + t[key][first(t)][1:]}))
        yield case("a layer of no file", kind, lambda t, i: t[key].update({bytes(32): bytes(64)}))


def halves(case):
    yield case("halves: another length", "hybrid",
               lambda t, i: i[b"files"][0].update({b"length": 50001}))
    yield case("halves: another name", "hybrid",
               lambda t, i: i[b"files"][0].update({b"path": [b"A"]}))
    yield case("halves: a file less", "hybrid", lambda t, i: i[b"files"].pop(0))
    yield case("halves: an empty file less in v2", "hybrid",
               lambda t, i: i[b"file tree"].pop(b"empty"))
    yield case("halves: another order", "hybrid", lambda t, i: i[b"files"].reverse())
    yield case("halves: padding too short", "hybrid",
               lambda t, i: i[b"files"][1].update({b"length": i[b"files"][1][b"length"] - 1}))
    yield case("halves: no padding", "hybrid", lambda t, i: i[b"files"].pop(1))


MAGNETS = [
    b"magnet:", b"magnet:?", b"magnet:?dn=name", b"magnet:?xt=", b"magnet:?xt=urn:btih:",
    b"magnet:?xt=urn:btih:zz", b"magnet:?xt=urn:btih:" + b"0" * 39, b"magnet:?xt=urn:btih:" + b"0" * 41,
    b"magnet:?xt=urn:btih:" + b"g" * 40, b"magnet:?xt=urn:btih:" + b"1" * 32,
    b"magnet:?xt=urn:btmh:1220" + b"0" * 63, b"magnet:?xt=urn:btmh:1220" + b"x" * 64,
    b"magnet:?xt=urn:btmh:1114" + b"0" * 40, b"magnet:?xs=urn:btpk:" + b"0" * 63,
    b"magnet:?xs=urn:btpk:" + b"q" * 64,
    b"magnet:?xt=urn:btih:" + b"0" * 40 + b"&xt=urn:btih:" + b"1" * 40,
    b"magnet:?xt=urn:btih:" + b"0" * 40 + b"&so=5-1",
    b"magnet:?dn=" + b"x" * 100_000,
]


def command_lines():
    """Calls that cannot be carried out."""
    yield "inspect: no such file", [b"inspect", b"none.torrent"]
    yield "inspect: a folder", [b"inspect", b"target"]
    yield "inspect: a device without an end", [b"inspect", b"/dev/zero"]
    yield "create: no such path", [b"create", b"none"]
    yield "create: no such path, output named", [b"create", b"none", b"-o", b"out.torrent"]
    yield "create: an empty folder", [b"create", b"target", b"-o", b"out.torrent"]
    yield "create: a device", [b"create", b"/dev/null", b"-o", b"out.torrent"]
    for name in (b"", b"..", b".", b"a/b", b"x" * 256):
        yield f"create: name {name[:9]}", [b"create", PROGRAM.encode(), b"-o", b"out.torrent",
                                           b"--name", name]
    for length in (b"0", b"-1", b"1", b"8K", b"16383", b"48K", b"1T", b"99999999999999999999"):
        yield f"create: piece length {length.decode()}", [
            b"create", PROGRAM.encode(), b"-o", b"out.torrent", b"--piece-length=" + length]
    for link in MAGNETS:
        yield f"inspect: {link[:70].decode()}", [b"inspect", link]


with tempfile.TemporaryDirectory(prefix="swarm-interop-") as scratch:
    bench = Bench(os.fsencode(scratch))
    for kind in KINDS:
        bench.accept(f"the right {kind} torrent", encode(handmade.torrent(kind)))
        whole = handmade.small(kind)
        bench.accept(f"the small right {kind} torrent", whole)
        # Verifying starts with the same reading: a sample of it is enough.
        cuts = [(f"{kind} cut at byte {at}", whole[:at]) for at in range(len(whole))]
        bench.refuse(cuts, [b"inspect"])
        bench.refuse(cuts[::29], [b"verify"])
    upper_and_lower = [([b"A"], 5), ([b"a"], 5)]
    bench.accept("names that differ in case", encode(handmade.torrent("v2", upper_and_lower)))
    bench.refuse(encodings())
    bench.refuse(values())
    bench.refuse(command_lines())

    # A file far larger than any torrent.
    large = os.path.join(os.fsencode(scratch), b"large")
    os.mkdir(large)
    with open(os.path.join(large, b"large.torrent"), "wb") as file:
        file.truncate(4 << 30)
    found = fault([b"inspect", b"large.torrent"], large)
    report.check("inspect: a file of 4 GiB", found is None, found)
report.finish()
