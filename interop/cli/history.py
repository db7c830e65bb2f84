"""Versions of a dataset over the network, with nothing but our own program on loopback: a publisher with
several versions, and others who have none. Old versions by their numbers, log and diff by walking from
the newest down, a publication that nobody seeds, old versions that are removed, and what is said while
nothing is known yet. The DHT is one of ours, with one node to begin with.
"""
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import node
import trees
from report import Report
from swarm import PROGRAM, run, run_json

ALONE = ("--no-lan", "--no-mapping")
report = Report()


def free_port():
    """A port that is free for TCP and for UDP."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            try:
                udp.bind(tcp.getsockname())
            except OSError:
                continue
            return tcp.getsockname()[1]


def asking(port):
    """Options of a command that runs a node for a moment."""
    return ("--listen", "127.0.0.1:0", "--no-lan", "--dht-node", f"127.0.0.1:{port}")


def read(path):
    with open(path, "rb") as file:
        return file.read()


def publish(*more):
    return run_json("publish", "data", "--state", "p", *more)[0]


def make_versions(port):
    """Three versions: a large file of which 64 KiB change, and one that comes and goes. Of the first
    one somebody has a copy: of what has changed since the publisher has nothing any more."""
    trees.write(b"data", b"big", trees.content("big", 3_000_000))
    trees.write(b"data", b"small", b"one")
    versions = [publish("--no-spread", "-m", "first")]
    with node.seed("data", "p", "127.0.0.1:0", "--dht-node", f"127.0.0.1:{port}", *ALONE) as seed:
        started = seed.wait("started")
        with node.join(versions[0]["dataset_key"], "copy", "c", "127.0.0.1:0", "--once", *ALONE,
                       "--no-dht", peers=started["listening"]) as join:
            report.equal("by key and the address of a peer alone", join.end(60), 0)
        seed.stop()
    with open("data/big", "r+b") as file:
        file.seek(1_000_000)
        file.write(b"changed")
    trees.write(b"data", b"small", b"two")
    trees.write(b"data", b"extra", trees.content("extra", 200_000))
    versions.append(publish("--no-spread", "-m", "second"))
    trees.write(b"data", b"small", b"three")
    os.remove("data/extra")
    versions.append(publish("--no-spread", "-m", "third"))
    return versions


def log_and_diff(key, versions, port):
    """Both from nothing; what came is kept."""
    report.equal("offline: nothing is known",
                 run("log", key, "--state", "r", "--offline").returncode, 1)
    log, _ = run_json("log", key, "--state", "r", "--timeout", 60, *asking(port))
    report.equal("log over the network", [(each["version"], each["message"], each["infohash_v2"])
                                          for each in log["versions"]],
                 [(each["version"], each["message"], each["infohash_v2"])
                  for each in reversed(versions)])
    report.equal("log without hashes says no figure it does not know",
                 [each["differing_bytes"] for each in log["versions"]], [5, None, None])
    kept, _ = run_json("log", key, "--state", "r", "--offline")
    report.equal("and is kept", kept, log)
    diff, _ = run_json("diff", key, 1, 3, "--state", "r", "--timeout", 60, *asking(port))
    report.equal("diff over the network", (diff["exact"], [
        (each["path"], each["change"], each["differing_bytes"]) for each in diff["files"]]),
        (True, [("big", "changed", 65_536), ("small", "changed", 5)]))
    again, _ = run_json("diff", key, 1, 3, "--state", "r", "--offline")
    report.equal("and is kept", again, diff)
    alone, _ = run_json("diff", key, 1, 2, "--state", "r2", "--timeout", 60, *asking(port))
    report.equal("diff from nothing", [(each["path"], each["differing_bytes"])
                                       for each in alone["files"]],
                 [("big", 65_536), ("extra", 200_000), ("small", 3)])


def old_versions(key, versions, port):
    """KEY@1 by an empty node, and numbers that are none."""
    options = ("--dht-node", f"127.0.0.1:{port}", *ALONE, "--once")
    for name, subject in (("KEY@1", f"{key}@1"), ("x.v", versions[2]["magnet"] + "&x.v=1")):
        with node.join(subject, "old-" + name, "j-" + name, "127.0.0.1:0", *options) as join:
            report.equal(f"{name}: ends well", join.end(90), 0)
            place = f"old-{name}/data@1"
            report.check(f"{name}: is version 1", os.path.exists(place + "/small")
                         and read(place + "/small") == b"one"
                         and read(place + "/big") == trees.content("big", 3_000_000), join.said())
            report.equal(f"{name}: and nothing else", sorted(os.listdir("old-" + name)),
                         ["data", "data@1"])
    for subject, words in ((f"{key}@0", "counted from 1"), (f"{key}@x", "counted from 1"),
                           ("urn:btih:" + "0" * 40 + "@1", "digits")):
        result = run("join", subject, "bad", "--state", "bad", *options)
        report.check(f"join {subject[-4:]}", result.returncode == 1
                     and words in result.stderr.decode(), repr(result.stderr))
    result = run("join", f"{key}@4", "bad", "--state", "j-KEY@1", "--listen", "127.0.0.1:0",
                 *options, timeout=120)
    report.check("newer than the newest", result.returncode == 1
                 and b"no version 4" in result.stderr and b"newest known is 3" in result.stderr,
                 repr(result.stderr))
    result = run("diff", key, 1, 4, "--state", "r", "--offline")
    report.check("diff: newer than the newest", b"no version 4" in result.stderr,
                 repr(result.stderr))


def follow_and_remove(key, port):
    """One who follows with --keep 1; a file of an old version that was changed stays."""
    options = ("--dht-node", f"127.0.0.1:{port}", *ALONE)
    with node.join(key, "f", "fs", "127.0.0.1:0", *options, "--keep", 1) as join:
        searching = join.wait("searching", 10)
        report.check("says what it waits for", searching is None or searching["number"] is None
                     and searching["dataset_key"] == key, repr(searching))
        report.check("follows", node.finished(join, 60), join.said())
        report.equal("the newest", sorted(os.listdir("f/data")), ["big", "small"])
        for number in (4, 5):
            if number == 5:
                with open("f/data@3/small", "ab") as file:
                    file.write(b" mine")
            trees.write(b"data", b"small", b"version %d" % number)
            published = publish()
            report.check(f"version {number}: the seed that runs tells of it",
                         published["seed_process"] is not None and published["dht_nodes"] is None,
                         repr(published))
            report.check(f"version {number} comes", join.wait(
                "version", 30, lambda each: each["number"] == number) is not None, join.said())
            report.check(f"version {number} is whole", join.wait(
                "finished", 60, lambda each: each["path"].endswith(f"@{number}")) is not None,
                join.said())
        removed = join.wait("removed", 20, lambda each: each["number"] == 3)
        report.check("version 3 is removed, but not what was changed", removed is not None
                     and removed["left"] == [os.path.realpath("f") + "/data@3/small"],
                     repr(removed) + join.said())
        report.equal("what stays", (sorted(os.listdir("f")), os.listdir("f/data@3"),
                                    read("f/data@3/small"), read("f/data@4/small"),
                                    os.readlink("f/data")),
                     (["data", "data@3", "data@4", "data@5"], ["small"], b"three mine",
                      b"version 4", "data@5"))
        report.equal("ends", join.stop(signal.SIGTERM), 0)


def walk_far(key, port):
    """More versions than a publisher shares with what is left of them."""
    for number in range(6, 9):
        trees.write(b"data", b"small", b"version %d" % number)
        publish("--no-spread")
    with node.seed("data", "p", "127.0.0.1:0", "--dht-node", f"127.0.0.1:{port}", *ALONE) as seed:
        report.check("the publisher seeds again", node.listening(seed), seed.said())
        # It takes the seed some seconds to be found, and to tell the DHT.
        newest, deadline = 0, time.monotonic() + 30
        while newest < 8 and time.monotonic() < deadline:
            log, _ = run_json("log", key, "--state", f"near-{time.monotonic_ns()}", "-n", 1,
                              "--timeout", 20, *asking(port))
            newest = log["versions"][0]["version"] if log else 0
        report.equal("its newest version is found", newest, 8)
        log, _ = run_json("log", key, "--state", "far", "--timeout", 60, *asking(port))
        report.equal("all versions are found", [each["version"] for each in log["versions"]],
                     list(range(8, 0, -1)))
        report.equal("and nothing was fetched into the publisher's state", [
            name for folder, _, names in os.walk("p/metadata") for name in names
            if "content" in folder], [])
        seed.stop()


def publish_alone(key, port):
    """No seed runs: publish itself tells the DHT, where one who follows finds it."""
    trees.write(b"data", b"small", b"version 9")
    published = publish(*asking(port))
    report.check("publish without a seed: the DHT has it", (published["dht_nodes"] or 0) > 0
                 and published["seed_process"] is None, repr(published))
    log, _ = run_json("log", key, "--state", "r3", "-n", 1, "--timeout", 10, *asking(port))
    report.check("and others find it there", False, "") if log is None else report.equal(
        "others find the head there", [each["version"] for each in log["versions"]], [9])
    with node.Node("publish", "data", "--state", "p", "--no-spread") as quiet:
        report.equal("unchanged", quiet.end(), 0)
    trees.write(b"data", b"small", b"version 10")
    published = publish(*asking(port))
    report.check("version 10 is told", (published["dht_nodes"] or 0) > 0, repr(published))
    log, _ = run_json("log", key, "--state", "r3", "-n", 1, "--timeout", 10, "--offline")
    report.equal("offline the head that is here", [each["version"] for each in log["versions"]], [9])
    log, _ = run_json("log", key, "--state", "r3", "-n", 1, "--timeout", 10, *asking(port))
    report.equal("a newer head is asked for", [each["version"] for each in log["versions"]], [10])
    trees.write(b"data", b"small", b"version 11")
    result = run("publish", "data", "--state", "p", "--timeout", 1, "--listen", "127.0.0.1:0",
                 "--no-lan", "--no-dht")
    report.check("nobody to tell: says that seed does", result.returncode == 0
                 and b"nobody could be told" in result.stderr, repr(result.stderr))


def nobody_there():
    """A key that nobody shares: who is asked, then what to look at."""
    with subprocess.Popen([PROGRAM, "join", "1" * 64, "none", "--state", "none-state", "--listen",
                           "127.0.0.1:0", "--dht-node", "127.0.0.1:9", *ALONE],
                          stderr=subprocess.PIPE, stdout=subprocess.PIPE) as join:
        lines = []
        for line in join.stderr:
            lines.append(line.decode())
            if b"no peers found after" in line:
                break
        join.terminate()
        join.communicate()
    said = "".join(lines)
    report.check("says what it looks for, and what to check", "looking for the newest version of "
                 + "1" * 64 in said and "asking the DHT" in said and "--peer" in said, said)


with tempfile.TemporaryDirectory(prefix="swarm-history-") as scratch:
    PROGRAM = os.path.abspath(PROGRAM)
    os.chdir(scratch)
    first_port, port = free_port(), free_port()
    trees.write(b"other", b"file", b"of somebody else")
    with node.seed("other", "o", f"127.0.0.1:{first_port}", "--no-key", "--dht-node",
                   f"127.0.0.1:{first_port}", *ALONE) as other:
        report.check("a first node of the DHT", node.listening(other), other.said())
        published = make_versions(first_port)
        key = published[0]["dataset_key"]
        with node.seed("data", "p", f"127.0.0.1:{port}", "--dht-node", f"127.0.0.1:{first_port}",
                       *ALONE) as seed:
            report.check("the publisher seeds", node.listening(seed), seed.said())
            log_and_diff(key, published, first_port)
            with node.join(key, "copy", "c", "127.0.0.1:0", "--dht-node",
                           f"127.0.0.1:{first_port}", *ALONE) as copy:
                report.check("a copy follows", node.finished(copy, 60), copy.said())
                report.equal("and keeps version 1", read("copy/data@1/small"), b"one")
                old_versions(key, published, first_port)
                report.equal("the copy ends", copy.stop(signal.SIGTERM), 0)
            follow_and_remove(key, first_port)
            seed.stop()
        walk_far(key, first_port)
        publish_alone(key, first_port)
    nobody_there()
report.finish()
