"""Swarms of one seed and six leeches, ours and libtorrent's mixed, who are told of one peer each
and find the others by peer exchange: all of them get all of it.

swarm.py [MIB]: the size; 16 without it.
"""
import os
import shutil
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from isolate import ADDRESSES, isolated

isolated()
import contents
import node
import swarm
from clients import Libtorrent
from report import Report

report = Report()
MIB = int(sys.argv[1]) if len(sys.argv) > 1 else 16
PATIENCE = 60  # seconds for a whole swarm
# O: ours, T: libtorrent 2.0.8, N: libtorrent 2.1.1. The first is the seed.
SWARMS = (("v2", "OOTOTON"), ("v2", "TOTOTOO"), ("hybrid", "OTOTOTN"), ("hybrid", "TOOTOTO"),
          ("v1", "OTOOTOT"))


def endpoint(number):
    return f"{ADDRESSES[number]}:{6901 + number}"


def member(number, letter, torrent, scratch, rate):
    """The seed, or a leech that is told of the seed, or of the leech before it: of whom each is
    told differs, so that the swarm is no star."""
    folder = os.path.join(scratch, f"member{number}")
    state = os.path.join(scratch, f"state{number}")
    peers = [] if number == 0 else [endpoint(0 if number % 2 else number - 1)]
    if letter == "O":
        if number == 0:
            return node.seed(torrent, state, endpoint(0), "--data", os.path.join(scratch, "source"),
                             "--upload-limit", rate)
        os.makedirs(folder)
        return node.join(torrent, folder, state, endpoint(number), peers=peers)
    more = {"torrent": torrent, "peers": peers, "plain": True}
    version = "2.1.1" if letter == "N" else "2.0.8"
    if number == 0:
        return Libtorrent(version, endpoint(0), os.path.join(scratch, "source"), seed_mode=True,
                          upload_limit=rate, **more)
    return Libtorrent(version, endpoint(number), folder, **more)


def seed_upload(each):
    if isinstance(each, node.Node):
        return node.uploaded(each.fresh_status()) or 0
    return each.status().get("up", 0)


def run(kind, letters, scratch):
    torrent = os.path.join(scratch, kind + ".torrent")
    if not os.path.exists(torrent):
        swarm.create(content, torrent, kind, 65536)
    name = f"{kind}, {letters}"
    members = []
    started = time.monotonic()
    try:
        # The seed is slow enough that the leeches need one another.
        for number, letter in enumerate(letters):
            members.append(member(number, letter, torrent, scratch, MIB << 19))
            if number == 0 and letter == "O":
                node.listening(members[0])
        for number, each in enumerate(members[1:], 1):
            left = max(started + PATIENCE - time.monotonic(), 1)
            done = (node.finished(each, left) if isinstance(each, node.Node)
                    else each.finished(left))
            target = os.path.join(os.fsencode(scratch), b"member%d" % number, b"data")
            wrong = contents.difference_soon(content, target) if done else "not finished"
            report.check(f"{name}: member {number} ({letters[number]})", wrong is None,
                         f"{wrong}; {each.said()}")
        seconds = time.monotonic() - started
        ratio = seed_upload(members[0]) / total
        report.note(f"{name}: {seconds:.1f} s, the seed sent {ratio:.2f} times the content")
        report.check(f"{name}: the leeches share", 0 < ratio < len(letters) - 2, f"{ratio:.2f}")
        for number, each in enumerate(members):
            if isinstance(each, node.Node):
                report.check(f"{name}: member {number} ends when told to",
                             each.stop() in node.STOPPED, each.said())
    finally:
        for each in members:
            each.kill()
        for number in range(len(letters)):
            for what in ("member", "state"):
                shutil.rmtree(os.path.join(scratch, f"{what}{number}"), ignore_errors=True)


with tempfile.TemporaryDirectory(prefix="swarm-mixed-") as scratch:
    content = contents.make(os.path.join(scratch, "source"), MIB)
    total = sum(os.path.getsize(each) for each in contents.files(content).values())
    for kind, letters in SWARMS:
        run(kind, letters, scratch)
report.finish()
