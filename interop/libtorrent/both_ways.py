"""We download from libtorrent and seed to it: v2, hybrid and v1, from a .torrent and from a magnet
link alone; a transfer that is stopped in the middle goes on. Then v2 and hybrid with the libtorrent
of PyPI, which is newer than Debian's.

both_ways.py [MIB]: the size; 12 without it.
"""
import os
import shutil
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
MIB = int(sys.argv[1]) if len(sys.argv) > 1 else 12
OURS, THEIRS = "10.99.0.1:6901", "10.99.0.2:6902"
PATIENCE = 40  # seconds for one transfer
SLOW = MIB << 18  # bytes a second: a quarter of the content in a second, so that it can be stopped


class Case:
    """One torrent, and an empty folder to download into."""

    def __init__(self, scratch, kind):
        self.kind = kind
        self.torrent = os.path.join(scratch, kind + ".torrent")
        answer, _ = swarm.run_json("create", content, "-o", self.torrent, "--format", kind)
        self.link = answer["magnet"]
        self.scratch = scratch

    def clean(self):
        for name in ("target", "state"):
            shutil.rmtree(os.path.join(self.scratch, name), ignore_errors=True)
        os.mkdir(self.target)

    @property
    def target(self):
        return os.path.join(self.scratch, "target")

    @property
    def state(self):
        return os.path.join(self.scratch, "state")

    def arrived(self):
        return contents.difference_soon(content, os.path.join(os.fsencode(self.target), b"data"))

    def ours_seeds(self, *more):
        return node.seed(self.torrent, self.state, OURS, "--data", source, *more)

    def ours_joins(self, by_link, *more, peers=(THEIRS,)):
        return node.join(self.link if by_link else self.torrent, self.target, self.state, OURS,
                         *more, peers=peers)

    def theirs_seeds(self, version, **more):
        return Libtorrent(version, THEIRS, source, torrent=self.torrent, **more)

    def theirs_joins(self, version, by_link, **more):
        what = {"link": self.link} if by_link else {"torrent": self.torrent}
        return Libtorrent(version, THEIRS, self.target, **what, **more)


def came(name, case, leech, seed):
    """One check: all is there, and the same."""
    started = time.monotonic()
    done = (node.finished(leech, PATIENCE) if isinstance(leech, node.Node)
            else leech.finished(PATIENCE))
    seconds = time.monotonic() - started
    wrong = case.arrived() if done else "not finished"
    report.check(name, wrong is None, f"{wrong}; leech: {leech.said()}; seed: {seed.said()}")
    if seconds > 8:
        report.note(f"{name}: {seconds:.1f} s")


def download(case, version, by_link, seed_mode):
    """Ours from theirs; we connect."""
    case.clean()
    with case.theirs_seeds(version, seed_mode=seed_mode) as seed:
        if not seed_mode:
            seed.finished(20)  # it checks the files first
        with case.ours_joins(by_link, "--once") as leech:
            came(f"{case.kind}, {'link' if by_link else 'torrent'}, from libtorrent {version}"
                 f"{', seed mode' if seed_mode else ''}", case, leech, seed)
            report.check(f"{case.kind}: --once ends by itself with status 0", leech.end() == 0,
                         leech.said())


def upload(case, version, by_link, they_connect, stock=False):
    """Theirs from ours. A stock client that connects tries uTP and encryption first, and takes five
    seconds for it, so that most of ours are not."""
    case.clean()
    more = [] if they_connect else ["--peer", THEIRS]
    with case.ours_seeds(*more) as seed:
        name = (f"{case.kind}, {'link' if by_link else 'torrent'}, to libtorrent {version}, "
                f"{'it connects' if they_connect else 'we connect'}{', stock' if stock else ''}")
        if not report.check(f"{name}: we seed", node.listening(seed), seed.said()):
            return
        with case.theirs_joins(version, by_link, plain=not stock,
                               peers=[OURS] if they_connect else []) as leech:
            came(name, case, leech, seed)
        report.check(f"{name}: we end when told to", seed.stop() in node.STOPPED, seed.said())


def ours_goes_on(case, version):
    """Our leech is slow, is stopped in the middle, and starts again with what it had."""
    case.clean()
    with case.theirs_seeds(version, seed_mode=True) as seed:
        with case.ours_joins(False, "--download-limit", SLOW) as leech:
            leech.wait("status", 30, lambda each: node.done(each) > SLOW)
            before = node.done(leech.status())
            report.check(f"{case.kind}: our leech stops in the middle",
                         leech.stop() in node.STOPPED and 0 < before < MIB << 20,
                         f"{before} {leech.said()}")
        with case.ours_joins(False) as leech:
            came(f"{case.kind}: our leech goes on", case, leech, seed)
            # What fills up the last block of a file in a hybrid comes too, and is no content.
            padding = 16384 * len(contents.files(content)) if case.kind == "hybrid" else 0
            again = node.downloaded(leech.fresh_status()) or 0
            report.check(f"{case.kind}: and does not fetch again what it had",
                         0 < again <= total - before + padding, f"had {before}, fetched {again} of {total}")


def theirs_goes_on(case, version):
    """Their leech is slow, is stopped in the middle, and starts again; we seed on."""
    case.clean()
    with case.ours_seeds() as seed:
        node.listening(seed)
        with case.theirs_joins(version, False, plain=True, peers=[OURS],
                               download_limit=SLOW) as leech:
            deadline = time.monotonic() + 30
            while leech.status().get("done", 0) < SLOW and time.monotonic() < deadline:
                time.sleep(0.2)
        with case.theirs_joins(version, False, plain=True, peers=[OURS]) as leech:
            came(f"{case.kind}: their leech goes on", case, leech, seed)


def from_folder(case):
    """As a person would: `swarm seed FOLDER`, and its link to a stock client."""
    case.clean()
    with node.seed(content, case.state, OURS) as seed:
        started = seed.wait("started")
        if not report.check("seed of a folder: it says its link",
                            started and str(node.link(started)).startswith("magnet:"),
                            seed.said()):
            return
        with Libtorrent("2.0.8", THEIRS, case.target, link=node.link(started),
                        peers=[OURS]) as leech:
            came("seed of a folder: its link to libtorrent", case, leech, seed)


with tempfile.TemporaryDirectory(prefix="swarm-both-ways-") as scratch:
    source = os.path.join(scratch, "source")
    content = contents.make(source, MIB)
    total = sum(os.path.getsize(each) for each in contents.files(content).values())
    cases = {kind: Case(scratch, kind) for kind in ("v2", "hybrid", "v1")}
    for each in cases.values():
        for link in (False, True):
            for flag in (False, True):
                download(each, "2.0.8", link, seed_mode=flag)
                upload(each, "2.0.8", link, they_connect=flag)
        ours_goes_on(each, "2.0.8")
        theirs_goes_on(each, "2.0.8")
        upload(each, "2.0.8", each.kind == "v2", they_connect=True, stock=True)
    from_folder(cases["v2"])
    for each in (cases["v2"], cases["hybrid"]):
        for link in (False, True):
            download(each, "2.1.1", link, seed_mode=True)
            upload(each, "2.1.1", link, they_connect=True, stock=link)
report.finish()
