"""One table of every figure that README.md quotes: ours, the rivals', and what it should be. Made of what the
benches write with --json; Benchmarks/run.sh without a name ends with it.

    Benchmarks/figures.py FILE…                 prints the table
    Benchmarks/figures.py --write README.md FILE…   puts the figures in the place of those in a document's table
    Benchmarks/figures.py --check README.md …   whether each row of a document's table is one of these

A document's table stands behind the line `<!-- figures -->`; its first column has the names below. Asserts
nothing about figures.
"""
import dataclasses
import json
import os
import re
import statistics
import sys
import tempfile

MARK = "<!-- figures -->"
LIBTORRENT = {r"libtorrent (\S+)": r"libtorrent \1"}


@dataclasses.dataclass
class Figure:
    """`case` and `key` are those of the bench's table; `where`, for those that measure the same in several
    places, is the beginning of that. `rivals` are patterns of cases, with names. `target` is a number, or
    ("best", f): so many times the best rival, or (NAME, f): so many times that rival."""
    name: str
    bench: str
    case: str
    key: str
    unit: str
    rivals: dict = dataclasses.field(default_factory=dict)
    target: object = None
    where: str = ""
    more_is_better: bool = False
    only_best: bool = False


def kind(of):
    """libtorrent's cases of v1, v2 or hybrid."""
    return {rf"libtorrent (\S+) {of}": r"libtorrent \1", rf"libtorrent {of}": "libtorrent"}


MARKED = {r"aria2 v1": "aria2", r"transmission v1": "transmission", r"mktorrent v1": "mktorrent"}
DISKS = {r"(nbdkit torrent|btfs)": r"\1"}
BOOTS = {r"(local file|nbdkit torrent|btfs|full download)": r"\1"}
BLOCK = {name: {rf"(nbdkit file|qemu-nbd), {name}": r"\1"}
         for name in ("4 KiB, depth 1", "4 KiB, depth 32", "1 MiB in order")}
FAR = "40 ms"

FIGURES = [
    Figure("make a torrent of 1 GiB, v2", "create", "swarm v2", "wall", "s", kind("v2"), ("best", 1 / 3)),
    Figure("make a torrent of 1 GiB, beside the hash alone", "create", "swarm v2", "wall", "s",
           {r"hash alone, (.*)": "hash alone"}, ("best", 1 / 0.6), only_best=True),
    Figure("make a torrent of 1 GiB: memory", "create", "swarm v2", "rss", "MiB", kind("v2"), 64),
    Figure("make a torrent of 1 GiB, hybrid", "create", "swarm hybrid", "wall", "s", kind("hybrid"), ("best", 1)),
    Figure("make a torrent of 1 GiB, v1", "create", "swarm v1", "wall", "s", kind("v1") | MARKED, ("best", 1)),
    Figure("one to one, 1 GiB, v2", "transfer", "swarm v2", "wall s", "s", kind("v2") | MARKED, ("best", 1 / 3),
           "tmpfs"),
    Figure("one to one, 1 GiB, v2: CPU of both", "transfer", "swarm v2", "CPU s", "s", kind("v2") | MARKED,
           ("best", 1 / 2), "tmpfs"),
    Figure("one to one, 1 GiB, v2: memory", "transfer", "swarm v2", "leech MiB", "MiB", kind("v2") | MARKED, 100,
           "tmpfs"),
    Figure("one to one, 1 GiB, hybrid", "transfer", "swarm hybrid", "wall s", "s", kind("hybrid") | MARKED,
           ("best", 1 / 2), "tmpfs"),
    Figure("one to one, 1 GiB, v1", "transfer", "swarm v1", "wall s", "s", kind("v1") | MARKED, ("best", 1 / 2),
           "tmpfs"),
    Figure("one to one, 1 GiB, v2, on a disk", "transfer", "swarm v2", "wall s", "s",
           kind("v2") | MARKED | {"C pipe": "C pipe"}, ("C pipe", 1), "disk"),
    Figure("one to four, 256 MiB, v2: the last", "fanout", "swarm v2", "last s", "s", kind("v2") | MARKED,
           ("best", 1 / 3)),
    Figure("one to four, 256 MiB, v2: sent by the seed", "fanout", "swarm v2", "seed sent", "times",
           kind("v2"), 1.5),
    Figure("private, one to one, 1 GiB", "private", "swarm private", "wall s", "s",
           {r"libtorrent (\S+) RC4": r"libtorrent \1 RC4"}, ("best", 1)),
    Figure("private, beside public", "private", "swarm private", "wall s", "s", {"swarm public": "public"},
           ("public", 2)),
    Figure("text over 100 Mbit/s", "compression", "text, with", "wall s", "s",
           {"text, without": "uncompressed"}, ("uncompressed", 1 / 2)),
    Figure("machine image over 100 Mbit/s", "compression", "image, with", "wall s", "s",
           {"image, without": "uncompressed"}, ("uncompressed", 1 / 2)),
    Figure("random data over 100 Mbit/s", "compression", "random, with", "wall s", "s",
           {"random, without": "uncompressed"}, ("uncompressed", 1.02)),
    Figure("1,000 idle torrents: memory", "idle", "swarm", "MiB", "MiB", LIBTORRENT),
    Figure("1,000 idle torrents: until all are open", "idle", "swarm", "start s", "s", LIBTORRENT),
    Figure("100 idle datasets: packets sent a minute", "idle", "swarm, a minute then", "sent", "",
           {r"libtorrent (\S+), a minute then": r"libtorrent \1"}),
    Figure("magnet to first peer, DHT of 30", "discovery", "swarm", "peer s", "s", LIBTORRENT, ("best", 1)),
    Figure("magnet to first peer, ten have just left", "discovery", "swarm, ten left", "peer s", "s",
           {r"libtorrent (\S+), ten left": r"libtorrent \1"}, ("best", 1)),
    Figure("item put and got, DHT of 30", "discovery", "swarm", "both ms", "ms", LIBTORRENT, ("best", 1)),
    Figure("item put and got, ten have just left", "discovery", "swarm, the first", "both ms", "ms",
           {r"libtorrent (\S+), the first": r"libtorrent \1"}, ("best", 1)),
    Figure("join by key: all of 80 kB", "discovery", "swarm by key", "all s", "s"),
    Figure("update of 6 MiB in 1 GiB: fetched", "update", r"swarm, .*", "fetched MiB", "MiB", {}, 6.5, "tmpfs"),
    Figure("update of 6 MiB in 1 GiB: two followers have it", "update", r"swarm, .*", "both whole s", "s", {}, None,
           "tmpfs"),
    Figure("block device, 4 KiB, one at a time", "nbd", "swarm, 4 KiB, depth 1", "reads/s", "reads/s",
           BLOCK["4 KiB, depth 1"], ("best", 1), more_is_better=True),
    Figure("block device, 4 KiB, 32 at once", "nbd", "swarm, 4 KiB, depth 32", "reads/s", "reads/s",
           BLOCK["4 KiB, depth 32"], ("best", 1), more_is_better=True),
    Figure("block device, 1 MiB in order", "nbd", "swarm, 1 MiB in order", "MB/s", "MB/s",
           BLOCK["1 MiB in order"], ("best", 1), more_is_better=True),
    *(Figure(f"cold read of 4 KiB at 40 ms, {title}: {shown}", "randread", f"swarm, depth {depth}", key, unit,
             {rf"(nbdkit torrent|btfs), depth {depth}": r"\1"}, target, FAR)
      for title, depth in (("one at a time", 1), ("16 at once", 16))
      for shown, key, unit, target in (("median", "p50 ms", "ms", 43), ("99 of 100", "p99 ms", "ms", 80),
                                       ("fetched a byte", "bytes a byte", "bytes", 20))),
    *(Figure(f"Debian boots over 100 Mbit/s, {what}{more}", "boot", case, key, "s", BOOTS, ("local file", times))
      for what, key in (("to its prompt", "prompt s"), ("python3 has run", "python3 s"))
      for more, case, times in (("", "swarm", 2.5), (", with a trace", "swarm, trace", 1.2))),
    Figure("ten boots at once: the slowest", "crowd", "10 from swarm", "slowest s", "s",
           {"1 from swarm": "one alone"}, ("one alone", 1.5)),
    Figure("ten boots at once: sent by the seed", "crowd", "10 from swarm", "seed sent MiB", "MiB",
           {"1 from swarm": "one alone"}, ("one alone", 2)),
    Figure("first verified byte at 40 ms, torrent", "first", f"torrent, {FAR}", "first byte ms", "ms", {}, 150),
    Figure("first verified byte at 40 ms, link", "first", f"link, {FAR}", "first byte ms", "ms", {}, 150),
    Figure("image of 1 TiB: until it is offered", "huge", "1 TiB, as usual", "exported s", "s"),
    Figure("image of 1 TiB: memory", "huge", "1 TiB, as usual", "MiB exported", "MiB", {}, 150),
]


def read(paths):
    """What the benches wrote. Lines without a bench's name have that of their file's beginning."""
    found = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            for line in filter(str.strip, file):
                row = json.loads(line)
                row.setdefault("bench", re.match("[a-z]*", os.path.basename(path)).group())
                found.append(row)
    return found


def medians(figure, rows):
    """Ours, or None, and the rivals' by name."""
    ours, theirs = [], {}
    for row in rows:
        if row["bench"] != figure.bench or figure.key not in row:
            continue
        if not row.get("where", figure.where).startswith(figure.where):
            continue
        if re.fullmatch(figure.case, row["case"]):
            ours.append(row[figure.key])
        for pattern, name in figure.rivals.items():
            if match := re.fullmatch(pattern, row["case"]):
                theirs.setdefault((match.expand(name), row["case"]), []).append(row[figure.key])
    found = {}
    for (name, _), values in theirs.items():
        value = statistics.median(values)
        found[name] = best(figure, [value, found[name]]) if name in found else value
    if figure.only_best and found:
        name = next(each for each, value in found.items() if value == best(figure, found.values()))
        found = {name: found[name]}
    return (statistics.median(ours) if ours else None), found


def best(figure, values):
    return (max if figure.more_is_better else min)(values)


def wanted(figure, rivals):
    """What it should be at most (at least, where more is better), or None if that cannot be told."""
    if not isinstance(figure.target, tuple):
        return figure.target
    who, times = figure.target
    if who == "best":
        return times * best(figure, rivals.values()) if rivals else None
    return times * rivals[who] if who in rivals else None


def text(value, unit=""):
    """Three digits that mean something."""
    places = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3
    return f"{value:,.{places}f} {unit}".strip()


def cells(figure, rows):
    """What stands in the columns behind the name: ours, the rivals', the target; None if ours is not there."""
    ours, rivals = medians(figure, rows)
    if ours is None:
        return None
    limit = wanted(figure, rivals)
    sign = "≥" if figure.more_is_better else "≤"
    target = ""
    if limit is not None:
        is_reached = ours >= limit if figure.more_is_better else ours <= limit
        target = f"{sign} {text(limit, figure.unit)}: {'yes' if is_reached else 'no'}"
    order = sorted(rivals.items(), key=lambda each: each[1], reverse=figure.more_is_better)
    return text(ours, figure.unit), ", ".join(f"{name} {text(value, figure.unit)}" for name, value in order), target


def table(rows):
    """Lines."""
    found = [(figure.name, *(cells(figure, rows) or ("not measured", "", ""))) for figure in FIGURES]
    head = ("figure (medians)", "ours", "should be", "others")
    found = [head] + [(name, ours, target, theirs) for name, ours, theirs, target in found]
    widths = [max(len(each[column]) for each in found) for column in range(3)]
    return ["  ".join([*(f"{cell:{width}}" for cell, width in zip(each, widths)), each[3]]).rstrip()
            for each in found]


def marked(document):
    """(number, cells) of each row of the tables of figures in a document, in lines from 0."""
    state = "out"
    for number, line in enumerate(document.split("\n")):
        if line.strip() == MARK:
            state = "head"
        elif state != "out" and line.startswith("|"):
            row = [each.strip() for each in line.strip("|").split("|")]
            if state == "rows":
                yield number, row
            elif set(line) <= set("|- :"):
                state = "rows"
        elif state == "rows":
            state = "out"


def unknown(document):
    """What is wrong with a document's tables."""
    names = {figure.name for figure in FIGURES}
    faults = [f"{row[0]}: no bench prints that" for _, row in marked(document) if row[0] not in names]
    faults += [f"{row[0]}: {len(row)} columns, not 3" for _, row in marked(document) if len(row) != 3]
    return faults or ([] if list(marked(document)) else [f"no table behind {MARK}"])


def written(document, rows):
    """The document with the figures that were measured."""
    lines = document.split("\n")
    figures = {figure.name: figure for figure in FIGURES}
    for number, row in marked(document):
        found = cells(figures[row[0]], rows) if row[0] in figures else None
        if found:
            lines[number] = f"| {row[0]} | {found[0]} | {found[1]} |"
    return "\n".join(lines)


def try_itself():
    """That the table says what the benches wrote, on a small recording."""
    assert len({figure.name for figure in FIGURES}) == len(FIGURES), "two figures of one name"
    recorded = [{"bench": "transfer", "where": place, "case": case, "wall s": seconds, "CPU s": cpu}
                for place, case, seconds, cpu in (
                    ("tmpfs", "swarm v2", 1, 2), ("tmpfs", "swarm v2", 3, 2), ("tmpfs", "swarm v2", 1.1, 2),
                    ("tmpfs", "libtorrent 2.1.1 v2", 3.6, 3), ("tmpfs", "libtorrent 2.0.8 v2", 5, 3),
                    ("tmpfs", "libtorrent 2.1.1 v1", 1, 3), ("tmpfs", "aria2 v1", 4, 3),
                    ("disk", "swarm v2", 2, 3), ("disk", "C pipe", 1, 3))]
    recorded += [{"case": "swarm, 4 KiB, depth 1", "reads/s": 7200.4},
                 {"case": "qemu-nbd, 4 KiB, depth 1", "reads/s": 4800}]
    with tempfile.TemporaryDirectory() as scratch:
        path = os.path.join(scratch, "nbd-second.json")
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(map(json.dumps, recorded)) + "\n")
        rows = read([path])
    shown = {figure.name: cells(figure, rows) for figure in FIGURES}
    assert shown["one to one, 1 GiB, v2"] == (
        "1.10 s", "libtorrent 2.1.1 3.60 s, aria2 4.00 s, libtorrent 2.0.8 5.00 s", "≤ 1.20 s: yes"), shown
    assert shown["one to one, 1 GiB, v2: CPU of both"][2] == "≤ 1.50 s: no", shown
    assert shown["one to one, 1 GiB, v2, on a disk"] == ("2.00 s", "C pipe 1.00 s", "≤ 1.00 s: no"), shown
    assert shown["block device, 4 KiB, one at a time"] == (
        "7,200 reads/s", "qemu-nbd 4,800 reads/s", "≥ 4,800 reads/s: yes"), shown
    assert shown["image of 1 TiB: memory"] is None
    assert len(table(rows)) == len(FIGURES) + 1 and "not measured" in table(rows)[-1]
    page = (f"{MARK}\n| a | b | c |\n|---|---|---|\n| one to one, 1 GiB, v2 | ? | ? |\n| other | 1 | 2 |\n"
            "\n| x | y | z |\n")
    assert [row[0] for _, row in marked(page)] == ["one to one, 1 GiB, v2", "other"]
    assert "| one to one, 1 GiB, v2 | 1.10 s | libtorrent 2.1.1 3.60 s," in written(page, rows)
    assert unknown(page) == ["other: no bench prints that"] and unknown("nothing")


def main():
    words = sys.argv[1:]
    if words[:1] == ["--check"]:
        try_itself()
        faults = []
        for path in words[1:]:
            with open(path, encoding="utf-8") as file:
                faults += [f"{path}: {each}" for each in unknown(file.read())]
        sys.exit("\n".join(faults) or 0)
    if words[:1] == ["--write"]:
        with open(words[1], encoding="utf-8") as file:
            document = file.read()
        with open(words[1], "w", encoding="utf-8") as file:
            file.write(written(document, read(words[2:])))
        return
    print("\n".join(table(read(words))))


main()
