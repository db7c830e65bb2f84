"""The v1 torrent of a single file that another program makes, against ours: the infohash of its
info dictionary, less the keys that only that program writes."""
import hashlib
import os
import subprocess
import tempfile

import bencode
import swarm
import trees
from report import Report

# Keys of the info dictionary that are no part of what both were asked for.
EXTRA = {b"private": 0}


def compare(command):
    """`command(path, output, exponent)` makes a torrent with pieces of 2^exponent bytes."""
    report = Report()
    with tempfile.TemporaryDirectory(prefix="swarm-interop-") as scratch:
        scratch = os.fsencode(scratch)
        paths = dict(trees.all_trees(os.path.join(scratch, b"content"), trees.SINGLE))
        # A folder of one file has but one order.
        paths.update(trees.all_trees(os.path.join(scratch, b"folders"), ["one-file"]))
        for name, path in paths.items():
            for exponent in (15, 18):
                theirs = os.path.join(scratch, b"theirs.torrent")
                ours = os.path.join(scratch, b"ours.torrent")
                subprocess.run(command(path, theirs, exponent), check=True,
                               stdout=subprocess.DEVNULL)
                infohash = infohash_of(theirs)
                os.remove(theirs)
                what = f"{name}, pieces of 2^{exponent}"
                os.chmod(path, 0o755 if os.path.isdir(path) else 0o644)
                made, _ = swarm.create(path, ours, "v1", 1 << exponent)
                report.equal(what, made, infohash)
    report.finish()


def infohash_of(path):
    with open(path, "rb") as file:
        info = bencode.decode(file.read())[b"info"]
    for key, value in EXTRA.items():
        if info.get(key) == value:
            del info[key]
    return hashlib.sha1(bencode.encode(info)).hexdigest()
