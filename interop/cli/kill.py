"""Nodes that are stopped and killed in the middle, by every signal, start again and lose nothing;
nodes that cannot start say why."""
import os
import shutil
import signal
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from isolate import isolated

isolated()
import contents
import node
import swarm
from report import Report

report = Report()
SEED, LEECH = "10.99.0.1:6901", "10.99.0.2:6902"
MIB = 24
RATE = "8M"
# While killed: slow, so that some seconds pass in each round.
SLOW = "2M"
ROUNDS = 5
PATIENCE = 40  # seconds


def folders():
    for each in ("target", "state"):
        shutil.rmtree(os.path.join(scratch, each), ignore_errors=True)
    return os.path.join(scratch, "target"), os.path.join(scratch, "state")


def difference(target):
    return contents.difference_soon(content, os.path.join(os.fsencode(target), b"data"))


def padding(kind):
    """Bytes that are no content and come all the same: what fills a file's last block up."""
    return 16384 * len(contents.files(content)) if kind == "hybrid" else 0


def new_seed(kind):
    return node.seed(torrents[kind], os.path.join(scratch, "seed-state"), SEED, "--data", source)


def joins(kind, target, state, *more):
    return node.join(torrents[kind], target, state, LEECH, *more, peers=[SEED])


def killed(kind):
    """kill -9 again and again: what was verified stays, little is fetched twice."""
    target, state = folders()
    fetched = 0
    with new_seed(kind) as seed:
        node.listening(seed)
        for number in range(ROUNDS):
            with joins(kind, target, state, "--download-limit", SLOW) as leech:
                came = leech.wait("status", PATIENCE, lambda each: each.get("finished")
                                  or (node.downloaded(each) or 0) > (5 << 20))
                report.check(f"{kind}: kill -9, round {number}: goes on", came is not None,
                             leech.said())
                time.sleep(0.05 * number)
                leech.kill()
                fetched += node.downloaded(leech.status()) or 0
            if contents.held(target) == 0:
                report.check(f"{kind}: kill -9, round {number}: something is kept", False)
        with joins(kind, target, state) as leech:
            done = node.finished(leech, PATIENCE)
            wrong = difference(target) if done else "not finished"
            report.check(f"{kind}: kill -9: finishes", wrong is None, f"{wrong}; {leech.said()}")
            fetched += node.downloaded(leech.fresh_status()) or 0
            report.check(f"{kind}: ends by Ctrl-C", leech.stop() in node.STOPPED, leech.said())
        report.equal(f"{kind}: kill -9: verifies", swarm.Verdict(torrents[kind], target).status, 0)
        report.note(f"{kind}: {ROUNDS} kills: fetched {fetched / total:.2f} times the content, "
                    "as far as the last status line before each kill knew")
        # Each kill may cost what was on its way and what was not safe: a second or so.
        report.check(f"{kind}: kill -9: most of it is not fetched again",
                     total * 0.9 < fetched < total + ROUNDS * (3 << 20), f"{fetched} of {total}")


def killed_before_done_is_lost(kind):
    """What is claimed on disk and is not right is found: the node does not believe its own notes
    after a kill."""
    target, state = folders()
    with new_seed(kind) as seed:
        node.listening(seed)
        with joins(kind, target, state, "--download-limit", RATE) as leech:
            leech.wait("status", PATIENCE, lambda each: node.done(each) > (MIB << 19))
            leech.kill()
        large = os.path.join(os.fsencode(target), b"data", b"large")
        with open(large, "r+b") as file:
            for at in range(0, MIB << 20, 1 << 20):
                file.seek(at)
                file.write(b"torn")
        with joins(kind, target, state, "--once") as leech:
            done = node.finished(leech, PATIENCE)
            wrong = difference(target) if done else "not finished"
            report.check(f"{kind}: torn blocks after kill -9 are found", wrong is None,
                         f"{wrong}; {leech.said()}")
            leech.end()


def stopped(kind, by):
    """A clean stop: says what is kept, and what was verified is not fetched again."""
    target, state = folders()
    name = f"{kind}: {signal.Signals(by).name}"
    with new_seed(kind) as seed:
        node.listening(seed)
        with joins(kind, target, state, "--download-limit", RATE) as leech:
            leech.wait("status", PATIENCE, lambda each: node.done(each) > (MIB << 18))
            before = node.done(leech.status())
            report.check(f"{name}: a clean end", leech.stop(by) == 128 + by, leech.said())
            kept = leech.wait("stopped", 1) or {}
            report.check(f"{name}: says what is kept", node.done(kept) >= before > 0, leech.said())
        with joins(kind, target, state, "--once") as leech:
            done = node.finished(leech, PATIENCE)
            wrong = difference(target) if done else "not finished"
            report.check(f"{name}: finishes", wrong is None, f"{wrong}; {leech.said()}")
            leech.end()
            last = next((each for each in reversed(leech.events)
                         if node.downloaded(each) is not None), {})
            report.check(f"{name}: nothing is fetched again",
                         0 < (node.downloaded(last) or 0) <= total - before + padding(kind),
                         f"had {before}, fetched {node.downloaded(last)} of {total}")


def seed_killed(kind):
    """The seed is killed in the middle, and comes back at the same address."""
    target, state = folders()
    seed = new_seed(kind)
    try:
        node.listening(seed)
        with joins(kind, target, state, "--download-limit", RATE) as leech:
            for _ in range(2):
                had = node.done(leech.status())
                leech.wait("status", PATIENCE, lambda each: node.done(each) > had + (1 << 20))
                seed.kill()
                time.sleep(0.5)
                seed = new_seed(kind)
                report.check(f"{kind}: the seed starts again", node.listening(seed), seed.said())
            done = node.finished(leech, PATIENCE)
            wrong = difference(target) if done else "not finished"
            report.check(f"{kind}: the seed is killed and comes back", wrong is None,
                         f"{wrong}; {leech.said()}")
        report.check(f"{kind}: the seed ends when told to",
                     seed.stop(signal.SIGTERM) in node.STOPPED, seed.said())
    finally:
        seed.kill()


def cannot_start():
    """Ports that are taken, addresses that are not here, content that is not there."""
    state = os.path.join(scratch, "other-state")
    with new_seed("v2") as first:
        node.listening(first)
        for name, again in (
                ("seed", node.seed(torrents["v2"], state, SEED, "--data", source)),
                ("join", node.join(torrents["v2"], os.path.join(scratch, "t"), state, SEED))):
            with again:
                status = again.end(20)
                report.check(f"{name}: a port in use is named", status not in (None, 0)
                             and status > 0 and "6901" in "".join(again.errors[-1:]), f"{status} {again.said()}")
        report.check("the first node does not mind", first.is_alive())
    with node.seed(torrents["v2"], state, "192.0.2.1:6901", "--data", source) as seed:
        status = seed.end(20)
        report.check("an address that is not here is named", status is not None and status > 0
                     and seed.has_said("192.0.2.1"), f"{status} {seed.said()}")
    with node.seed(torrents["v2"], state, SEED, "--data", os.path.join(scratch, "nowhere")) as seed:
        status = seed.end(20)
        report.check("content that is not there is named", status is not None and status > 0
                     and seed.has_said("nowhere", "data"), f"{status} {seed.said()}")


with tempfile.TemporaryDirectory(prefix="swarm-kill-") as scratch:
    source = os.path.join(scratch, "source")
    content = contents.make(source, MIB)
    total = sum(os.path.getsize(each) for each in contents.files(content).values())
    torrents = {}
    for each in ("v2", "hybrid", "v1"):
        torrents[each] = os.path.join(scratch, each + ".torrent")
        swarm.create(content, torrents[each], each, "auto")
    for each in ("v2", "v1"):
        killed(each)
    killed_before_done_is_lost("v2")
    killed_before_done_is_lost("v1")
    stopped("v2", signal.SIGTERM)
    stopped("hybrid", signal.SIGINT)
    stopped("v1", signal.SIGHUP)
    seed_killed("v2")
    cannot_start()
report.finish()
