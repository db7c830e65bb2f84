"""Torrents that we make against those that libtorrent makes of the same trees: equal infohashes,
and each of ours loads in libtorrent with the same infohashes and files.

Where libtorrent cannot say the same:
- it makes no torrent whose files are all empty;
- it lists folders in the order of the disk, so it is given our order, file by file;
- in memory it changes names that are not UTF-8, hold control characters or backslashes, have more
  than 240 bytes, or differ from another only in case: of those, sizes and attributes are compared,
  and the names only in the bytes of the torrent;
- of a v2 torrent with one file at its top it forgets the folder, whose name is then in no path.
"""
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import bencode
import lt
import swarm
import trees
from report import Report

report = Report()
PIECES = {"16K": 16 << 10, "64K": 64 << 10, "1M": 1 << 20}


def is_plain(name):
    """Whether libtorrent keeps the name as it is."""
    try:
        text = name.decode()
    except UnicodeDecodeError:
        return False
    return len(name) <= 240 and all(ord(each) >= 32 and each not in "\\" for each in text)


def names_in(torrent):
    """The files in the bytes of a torrent, by the v2 tree or else by the v1 list: a list of (parts,
    size, attributes, link's target)."""
    info = bencode.decode(torrent)[b"info"]
    found = []

    def walk(tree, parts):
        for name, below in tree.items():
            if name == b"":
                found.append((parts, below.get(b"length", 0), below.get(b"attr", b""),
                              below.get(b"symlink path")))
            else:
                walk(below, parts + [name])

    if b"file tree" in info:
        walk(info[b"file tree"], [])
    elif b"files" in info:
        found = [(each[b"path"], each[b"length"], each.get(b"attr", b""), each.get(b"symlink path"))
                 for each in info[b"files"]]
    else:
        found = [([info[b"name"]], info[b"length"], info.get(b"attr", b""), None)]
    return found


def compare(name, path, kind, piece, output):
    """One tree, one kind, one piece length."""
    what = f"{name}, {kind}, pieces of {piece}"
    try:
        ours = swarm.create(path, output, kind, piece)
        with open(output, "rb") as file:
            torrent = file.read()
    except (swarm.Failure, OSError, ValueError) as error:
        report.check(what, False, str(error))
        return
    expected = trees.entries(path)
    in_bytes = [(parts, size, b"x" in attributes and target is None, target)
                for parts, size, attributes, target in names_in(torrent)]
    report.equal(f"{what}: files in the torrent", in_bytes, expected)
    if all(size == 0 for _, size, _, _ in expected):
        return
    report.equal(f"{what}: infohashes", ours, lt.infohashes(lt.create(path, kind, PIECES[piece])))
    try:
        report.equal(f"{what}: infohashes when loaded", lt.infohashes(torrent), ours)
        loaded = lt.listing(torrent)
    except RuntimeError as error:
        report.check(f"{what}: loads", False, str(error))
        return
    top = [os.path.basename(path)] if os.path.isdir(path) else []
    if kind == "v2" and len(expected) == 1 and len(expected[0][0]) == 1:
        top = []
    folded = [b"/".join(parts).lower() for parts, _, _, _ in expected]
    same = len(loaded) == len(expected) and all(
        agrees(theirs, entry, top, folded.count(b"/".join(entry[0]).lower()) == 1)
        for theirs, entry in zip(loaded, expected))
    report.check(f"{what}: files when loaded", same, f"ours {expected!r}, theirs {loaded!r}")


def agrees(theirs, entry, top, is_alone):
    """Whether libtorrent loaded the entry as it is on disk. `is_alone`: no other path differs from
    it only in case."""
    path, size, executable, target = theirs
    parts, our_size, our_executable, our_target = entry
    if is_alone and all(map(is_plain, parts)) and path != b"/".join(top + parts):
        return False
    if our_target is None:
        return target is None and (size, executable) == (our_size, our_executable)
    return size == 0 and target == b"/".join(top + our_target)


with tempfile.TemporaryDirectory(prefix="swarm-interop-") as scratch:
    scratch = os.fsencode(scratch)
    output = os.path.join(scratch, b"ours.torrent")
    content = os.path.join(scratch, b"content")
    os.mkdir(content)
    count = 0
    for name, path in trees.all_trees(content):
        count += 1
        for kind in lt.KINDS:
            for piece in ("64K", "1M") if name == "sparse-image" else PIECES:
                compare(name, path, kind, piece, output)
    report.note(f"{count} trees")

    # Options that are in the infohash.
    path = os.path.join(content, b"links")
    for kind in lt.KINDS:
        ours = swarm.create(path, output, kind, "64K", "--private")
        theirs = lt.infohashes(lt.create(path, kind, 65536, private=True))
        report.equal(f"private, {kind}", ours, theirs)
        ours = swarm.create(path, output, kind, "64K", "--name", b"other \xc3\xa9")
        renamed = os.path.join(scratch, b"other \xc3\xa9")
        os.rename(path, renamed)
        report.equal(f"other name, {kind}", ours, lt.infohashes(lt.create(renamed, kind, 65536)))
        os.rename(renamed, path)
        # Options that are not.
        plain = swarm.create(path, output, kind, "64K")
        extra = swarm.create(path, output, kind, "64K", "--tracker", "udp://127.0.0.1:1/announce",
                             "--web-seed", "http://127.0.0.1:1/", "--comment", "a comment")
        report.equal(f"tracker, web seed and comment leave the infohash, {kind}", extra, plain)
report.finish()
