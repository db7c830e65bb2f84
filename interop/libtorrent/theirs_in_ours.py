"""Torrents that libtorrent makes, read by us: the same infohashes and files; and content checked
against them: right content is right, and a wrong byte, a short file and a missing file are each
named, with the place."""
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import bencode
import lt
import swarm
import trees
from report import Report

report = Report()


def target_in(torrent_entry):
    """A link's target as the torrent has it."""
    target = torrent_entry.get(b"symlink path")
    return None if target is None else b"/".join(target)


def files_of(torrent):
    """The files in the bytes of a torrent, in the order of the v1 list or else of the v2 tree."""
    info = bencode.decode(torrent)[b"info"]
    found = []

    def add(path, entry):
        attributes = entry.get(b"attr", b"")
        if b"p" not in attributes:
            found.append((path, entry.get(b"length", 0), b"x" in attributes, target_in(entry)))

    def walk(tree, path):
        for name, below in tree.items():
            if name == b"":
                add(path, below)
            else:
                walk(below, path + b"/" + name if path else name)

    if b"files" in info:
        for entry in info[b"files"]:
            add(b"/".join(entry[b"path"]), entry)
    elif b"file tree" in info:
        walk(info[b"file tree"], b"")
    else:
        add(info[b"name"], info)
    return found


def read(name, path, kind, piece_length, file):
    """Makes libtorrent's torrent of a tree at `file`, and reads it with our program."""
    torrent = lt.as_it_would(path, kind, piece_length)
    with open(file, "wb") as out:
        out.write(torrent)
    what = f"{name}, {kind}, pieces of {piece_length}"
    try:
        ours = swarm.Listing(file)
        verdict = swarm.Verdict(file, os.path.dirname(path))
    except (swarm.Failure, KeyError, ValueError) as error:
        report.check(what, False, repr(error))
        return
    report.equal(f"{what}: infohashes", ours.infohashes, lt.infohashes(torrent))
    report.equal(f"{what}: name", ours.name, os.path.basename(path))
    report.equal(f"{what}: piece length", ours.piece_length, piece_length)
    report.check(f"{what}: piece layers", ours.layers_are_right)
    report.equal(f"{what}: files", ours.files, files_of(torrent))
    report.check(f"{what}: content is right", verdict.all_is_right and verdict.status == 0,
                 repr(verdict.faults))


def covers(ranges, offset):
    return any(start <= offset < end for start, end in ranges)


def spoil(scratch, kind):
    """Right content, then one fault after another."""
    folder = os.path.join(scratch, b"spoiled")
    top = os.path.join(folder, b"data")
    sizes = [(b"a", 40000), (b"b/c", 300000), (b"b/d", 1), (b"e", 0), (b"f", 131072)]
    for name, size in sizes:
        trees.write(top, name, trees.content(name, size))
    file = os.path.join(scratch, b"theirs.torrent")
    with open(file, "wb") as out:
        out.write(lt.create(top, kind, 65536))
    report.check(f"{kind}: right content", swarm.Verdict(file, folder).all_is_right)
    for name, size in sizes:
        path = os.path.join(top, name)
        what = f"{kind}, {name.decode()}"
        for offset in sorted({0, size // 2, size - 1}) if size else []:
            flip(path, offset)
            verdict = swarm.Verdict(file, folder)
            report.check(f"{what}: byte {offset} flipped",
                         verdict.status == 1 and not verdict.all_is_right
                         and covers(verdict.faults.get(name, []), offset)
                         and (kind == "v1" or list(verdict.faults) == [name]),
                         repr(verdict.faults))
            # v2 blames blocks or pieces of one file, nothing else.
            if kind != "v1":
                wrong = sum(end - start for start, end in verdict.faults.get(name, []))
                report.check(f"{what}: no more than a piece is blamed", wrong <= 65536, str(wrong))
            flip(path, offset)
        if size:
            os.truncate(path, size - 1)
            verdict = swarm.Verdict(file, folder)
            report.check(f"{what}: a byte short",
                         verdict.status == 1 and covers(verdict.faults.get(name, []), size - 1),
                         repr(verdict.faults))
        os.rename(path, path + b".away")
        verdict = swarm.Verdict(file, folder)
        report.check(f"{what}: missing", verdict.status == 1 and name in verdict.faults,
                     repr(verdict.faults))
        os.rename(path + b".away", path)
        trees.write(top, name, trees.content(name, size))
    report.check(f"{kind}: right again", swarm.Verdict(file, folder).all_is_right)
    shutil.rmtree(folder)


def flip(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(offset)
        file.write(bytes([byte[0] ^ 1]))


with tempfile.TemporaryDirectory(prefix="swarm-interop-") as scratch:
    scratch = os.fsencode(scratch)
    content = os.path.join(scratch, b"content")
    os.mkdir(content)
    for name, path in trees.all_trees(content):
        if any(size for _, size, _, _ in trees.entries(path)):
            for kind in lt.KINDS:
                for piece_length in (65536,) if name == "sparse-image" else (16384, 262144):
                    read(name, path, kind, piece_length, os.path.join(scratch, b"theirs.torrent"))
    for kind in lt.KINDS:
        spoil(scratch, kind)
report.finish()
