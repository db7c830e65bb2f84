"""A key on two machines, which publish two different versions by one number: everybody is told, and stays
with the one that came first. Numbers never go back, also after a restart."""
import os
import shutil
import signal
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from isolate import isolated

isolated()
import hosts
import node
from report import Report

report = Report()


def stop(*running):
    for each in running:
        report.check("ends well", each.stop(signal.SIGTERM) in node.STOPPED, each.said())


def run(host, *words):
    result = host.run(*words)
    report.check("swarm " + " ".join(words[:2]), result.returncode == 0, repr(result.stderr))
    return result


def version_1():
    """All have it; nobody runs afterwards. Its key, and a copy of what was published."""
    kept = hosts.make_data(one)
    with one.seed("data") as seed:
        started = seed.wait("started", hosts.PATIENCE)
        if not report.check("seeds", started, seed.said()):
            report.finish()
        with two.join(started["magnet"]) as second, three.join(started["magnet"]) as third, \
                four.join(started["magnet"]) as fourth:
            for host, joining in ((two, second), (three, third), (four, fourth)):
                hosts.arrives(report, host.namespace, joining, host, 1, kept)
            stop(second, third, fourth)
        stop(seed)
    return started, kept


def two_versions_2(key):
    """One on each of two hosts; both published by the same key. Copies of both."""
    run(one, "key", "export", key, "secret")
    shutil.move(os.path.join(one.home, "secret"), os.path.join(two.home, "secret"))
    run(two, "key", "import", "secret")
    shutil.copytree(two.folder(1), two.folder(name="mine"))
    with open(os.path.join(two.folder(name="mine"), "large"), "r+b") as file:
        file.write(b"another version 2")
    first = hosts.change_data(one)
    run(one, "publish", "data", "--message", "the first")
    run(two, "publish", "mine", "--key", key, "--name", "data", "--message", "the other")
    return first


def told(name, running):
    event = running.wait("key_used_twice", hosts.PATIENCE)
    report.check(f"{name} is told", event and (event["dataset_key"], event["number"]) == (key, 2),
                 running.said())
    report.check(f"{name}: in words, too",
                 running.wait_for_log("its key is used twice", seconds=5), running.said())


def stays(name, host):
    """It has the version 2 that came first, and nothing else by that number."""
    wrong = hosts.has(host, 2, first, 1)
    report.check(f"{name} stays with the one that came first", wrong is None, wrong)


with tempfile.TemporaryDirectory(prefix="swarm-twice-") as home:
    one, two, three, four = hosts.on_a_bridge(4, home)
    started, kept = version_1()
    key, link = started["dataset_key"], started["magnet"]
    first = two_versions_2(key)
    with one.seed("data") as seed, three.join(link) as following:
        hosts.arrives(report, "a follower", following, three, 2, first)
        with two.seed("mine") as other:
            told("who follows", following)
            told("who published the first", seed)
            told("who published the other", other)
            stop(seed, following)
            stays("who follows", three)
            # The other alone, to somebody who begins anew.
            with three.join(link) as again:
                told("who follows, begun anew", again)
                stays("who follows, begun anew", three)
                stop(again)
            stop(other)
    # Somebody who has been away since version 1, alone with who has version 2.
    with four.join(key) as away:
        report.check("who was away begins", node.listening(away, hosts.PATIENCE), away.said())
        with three.join(link) as again:
            hosts.arrives(report, "who was away", away, four, 2, first)
            stays("who met an old head", three)
            report.check("an old head is no second one", not again.has_said("used twice"),
                         again.said())
            stop(again)
        stop(away)
    report.check("version 1 is there yet", hosts.has(three, 1, kept, 1) is None)
report.finish()
