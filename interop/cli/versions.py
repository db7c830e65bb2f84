"""Datasets by key on one machine, as people and scripts use them: the key that a folder gets, versions
that follow one another, their log and differences, keys that move, and what is refused. Everything
happens in one folder, which is removed.
"""
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import node
import trees
from report import Report
from swarm import PROGRAM, run, run_json

LISTEN = "127.0.0.1:0"
report = Report()


def publish(path, *more, state="state", **keywords):
    return run_json("publish", path, "--state", state, "--no-spread", *more, **keywords)[0]


def refused(name, result, words, status=1):
    lines = result.stderr.decode(errors="replace").splitlines()
    report.check(name, result.returncode == status and not result.stdout and len(lines) == 1
                 and lines[0].startswith("swarm: ") and words in lines[0],
                 f"status {result.returncode}, {result.stdout[:200]!r}, {result.stderr[:300]!r}")


def keys_of(heading):
    """The keys in the tables below a heading of docs/json.md."""
    with open(os.path.join(HERE, "../../docs/json.md"), encoding="utf-8") as file:
        text = file.read().split(f"## {heading}\n")[1].split("\n## ")[0]
    return [key for row in re.findall(r"^\| (`.*?`) \|", text, re.M)
            for key in re.findall(r"`(\w+)`", row)]


def seeded(*more, state="state", path="data"):
    """What `swarm seed` says when it starts, and all that it said."""
    with node.seed(path, state, LISTEN, *more) as seed:
        started = seed.wait("started")
        seed.stop(signal.SIGINT)
        return started, seed


def a_folder_gets_a_key():
    """The first seed publishes version 1; the second finds it again and hashes nothing."""
    first, seed = seeded()
    report.check("seed: starts", first is not None, seed.said())
    secrets = os.listdir("state/keys")
    report.equal("one key", secrets, [first["dataset_key"]])
    report.equal("the secret is its owner's", os.stat("state/keys/" + secrets[0]).st_mode & 0o777,
                 0o600)
    report.check("the link has key and infohash", f"xs=urn:btpk:{first['dataset_key']}"
                 in first["magnet"] and f"xt=urn:btmh:1220{first['infohash_v2']}"
                 in first["magnet"], first["magnet"])
    report.equal("version 1", (first["version"], first["ahead"]), (1, None))
    with open("state/keys/" + secrets[0], encoding="ascii") as file:
        secret = file.read().strip()
    again, seed = seeded()
    report.equal("the same version again", (again["infohash_v2"], again["dataset_key"]),
                 (first["infohash_v2"], first["dataset_key"]))
    said = "".join(seed.errors) + json.dumps(seed.events)
    report.check("the secret is never said", secret not in said)
    plain, _ = seeded("--no-key")
    report.equal("--no-key: as swarm create", (plain["dataset_key"], plain["infohash_v2"]),
                 (None, run_json("create", "data", "-o", "x.torrent")[0]["infohash_v2"]))
    report.equal("a v1 torrent has no key", seeded("--format", "v1")[0]["dataset_key"], None)
    report.equal("still one key", len(os.listdir("state/keys")), 1)
    return first


def versions_follow(first):
    """publish, log, diff; nothing changed is no version; a seed that is ahead says so."""
    same = publish("data", "-m", "nothing")
    report.equal("nothing changed", (same["published_now"], same["infohash_v2"], same["hashed"]),
                 (False, first["infohash_v2"], 0))
    trees.write(b"data", b"new", trees.content("new", 5_000_000))
    with open("data/big", "r+b") as file:
        file.seek(1_000_000)
        file.write(b"changed")
    ahead, seed = seeded()
    report.check("ahead: says so, and shares version 1", ahead["version"] == 1
                 and ahead["ahead"].endswith("data/big") and seed.has_said("swarm publish"),
                 seed.said())
    second = publish("data", "-m", "second")
    report.equal("version 2", [second[key] for key in ("version", "previous", "message", "dataset_key")],
                 [2, first["infohash_v2"], "second", first["dataset_key"]])
    report.equal("only what changed is hashed", second["hashed"], 8_000_000)
    report.equal("only what differs is new", second["differing_bytes"], 5_000_000 + 65_536)
    os.rename("data/small", "data/moved")
    os.remove("data/new")
    third = publish("data")
    report.equal("version 3", third["version"], 3)
    verified = run("create", "data", "-o", "x.torrent", "--json")
    report.equal("the files are what hashing gives", *[
        [(each["path"], each["pieces_root"]) for each in run_json("inspect", name)[0]["files"]]
        for name in ("x.torrent", f"state/datasets/{third['infohash_v2']}/versions/1.torrent")])
    report.equal("and create still works", verified.returncode, 0)
    now, _ = seeded()
    report.equal("the newest is shared", (now["version"], now["ahead"]), (3, None))
    report.equal("JSON of publish", list(third),
                 keys_of("What every torrent has") + keys_of("`swarm publish --json`"))
    for subject in (first["dataset_key"], first["magnet"], "data"):
        log, _ = run_json("log", subject, "--state", "state")
        report.equal(f"log {subject[:8]}", [(each["version"], each["message"], each["infohash_v2"],
                                             each["differing_bytes"]) for each in log["versions"]],
                     [(3, "", third["infohash_v2"], 0), (2, "second", second["infohash_v2"], 5_065_536),
                      (1, "", first["infohash_v2"], None)])
    report.equal("JSON of log", list(log) + list(log["versions"][0]), keys_of("`swarm log --json`"))
    diff, _ = run_json("diff", "data", 1, 3, "--state", "state")
    report.equal("diff", [(each["path"], each["change"], each["from"], each["differing_bytes"])
                          for each in diff["files"]],
                 [("big", "changed", None, 65_536), ("moved", "moved", "small", 0)])
    report.equal("JSON of diff", list(diff) + list(diff["files"][0]), keys_of("`swarm diff --json`"))
    report.equal("diff the other way", run_json("diff", "data", 3, 2, "--state", "state")[0]
                 ["differing_bytes"], 5_000_000)
    report.equal("log -n 1", len(run_json("log", "data", "-n", 1, "--state", "state")[0]["versions"]), 1)
    refused("diff: no such version", run("diff", "data", 1, 4, "--state", "state", "--offline"), "the newest")
    refused("log: no dataset", run("log", "other", "--state", "state"), "not published by key")
    refused("log: an unknown key", run("log", "0" * 64, "--state", "state", "--offline"), "no version")


def keys_move(first):
    """Export and import; nothing is overwritten, shown on a terminal, or published twice."""
    key = first["dataset_key"]
    report.equal("export", run("key", "export", key, "secret", "--state", "state").returncode, 0)
    report.equal("its mode", os.stat("secret").st_mode & 0o777, 0o600)
    with open("secret", "rb") as file:
        secret = file.read()
    refused("export: over a file", run("key", "export", key, "secret", "--state", "state"), "already")
    report.equal("export to a pipe", run("key", "export", key, "-", "--state", "state").stdout, secret)
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(PROGRAM, [PROGRAM, "key", "export", key, "-", "--state", "state"])
    shown = b""
    try:
        while True:
            shown += os.read(terminal, 4096)
    except OSError:  # The terminal's other end is closed.
        pass
    _, status = os.waitpid(pid, 0)
    report.check("export to a terminal", os.waitstatus_to_exitcode(status) == 1
                 and secret.strip() not in shown and b"terminal" in shown, repr(shown))
    for name, words in (("import", ("secret",)), ("import from a pipe", ("-",))):
        shutil.rmtree("moved", ignore_errors=True)
        result = run("key", "import", *words, "--state", "moved", stdin=secret)
        report.equal(name, (result.returncode, result.stdout), (0, key.encode() + b"\n"))
    report.equal("key list", run_json("key", "list", "--state", "moved")[0]["keys"],
                 [{"dataset_key": key, "version": None, "infohash_v2": None, "private_dataset": False,
                   "paths": []}])
    report.equal("key list, at home", [[each["version"], each["paths"]] for each in
                                       run_json("key", "list", "--state", "state")[0]["keys"]],
                 [[3, [os.path.realpath("data")]]])
    refused("publish without knowing the versions",
            run("publish", "data", "--key", key, "--state", "moved"), "join the dataset first")
    os.chmod("secret", 0o640)
    refused("import: readable by others", run("key", "import", "secret", "--state", "moved"), "0640")
    os.chmod("state/keys/" + key, 0o604)
    refused("publish: readable by others", run("publish", "data", "--state", "state"), "chmod 600")
    os.chmod("state/keys/" + key, 0o600)
    report.equal("and put right", publish("data")["published_now"], False)
    refused("export: not here", run("key", "export", "0" * 64, "x", "--state", "state"), "not here")
    refused("published otherwise", run("publish", "data", "--name", "x", "--state", "state"),
            "by the name")


def two_at_once():
    """A killed publishing leaves the former version, and the next one the same number."""
    trees.write(b"data", b"more", trees.content("more", 60_000_000))
    for wait in (0.005, 0.02, 0.05, 0.1, 0.2, 0.4):
        process = subprocess.Popen([PROGRAM, "publish", "data", "--state", "state", "--no-spread"],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(wait)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log = run_json("log", "data", "--state", "state")[0]["versions"]
        report.check(f"killed after {wait} s", log[0]["version"] in (3, 4)
                     and [each["version"] for each in log] == list(range(log[0]["version"], 0, -1)),
                     repr(log))
    report.equal("and published", publish("data")["version"], 4)
    both = [subprocess.Popen([PROGRAM, "publish", "data", "--state", "state", "--no-spread",
                              "--json"],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
    for each in both:
        _, err = each.communicate()
        report.check("two at once", each.returncode == 0 or b"publishes a version" in err, repr(err))
    report.equal("a damaged head", damaged_head(), 1)


def nobody_shares_by_mistake():
    """What is private stays so; a new key is said to be one; a .torrent is not its content."""
    trees.write(b"pr", b"sub/a", b"secret")
    alone = ("--no-dht", "--no-lan")
    quiet = (*alone, "--no-mapping", "--listen", LISTEN, "--state", "private")
    key = publish("pr", "--private", state="private")["dataset_key"]
    run("create", "pr", "-o", "pr.torrent")
    for what in (("pr", "--no-key"), ("pr", "--format", "v1"), ("pr/sub",), ("pr/sub/a",),
                 ("pr.torrent",)):
        refused("private: " + " ".join(what), run("seed", *what, *quiet), "private dataset")
    refused("a folder with keys in it", run("seed", ".", *quiet), "keys of a state folder")
    refused("keys", run("publish", "private/keys", "--state", "private", *alone), "keys of a state folder")
    refused("private: another name", run("seed", "pr", "--name", "x", *quiet), "to another path")
    refused("private: publish a part", run("publish", "pr/sub", "--state", "private", *alone),
            "private dataset")
    report.equal("no key was made for it", os.listdir("private/keys"),
                 [name for name in os.listdir("private/keys") if name.startswith(key)])
    os.rename("pr", "pr-moved")
    refused("private: moved", run("seed", "pr-moved", *quiet), "is the private dataset")
    report.equal("and goes on by its key", publish("pr-moved", "--key", key, state="private")["dataset_key"], key)
    shutil.copytree("pr-moved", "pr-copy")
    report.check("a copy is nobody's", publish("pr-copy", state="private")["dataset_key"] != key)
    trees.write(b"open", b"sub/a", b"for all")
    publish("open", state="private")
    refused("private: a part of what is public", run("publish", "open/sub", "--private", "--state", "private", *alone),
            "published for everybody")
    refused("publish a .torrent", run("publish", "pr.torrent", "--state", "fresh", *alone),
            "is a .torrent")
    os.mkdir("empty")
    refused("publish nothing", run("publish", "empty", "--state", "fresh", *alone), "nothing")
    report.equal("its key is gone", os.listdir("fresh/keys"), [])
    trees.write(b"first", b"a", b"1")
    old = publish("first", state="fresh")
    report.check("publish: a new key is said to be one", "a new key" in "".join(old["warnings"]))
    os.rename("first", "second")
    new = publish("second", state="fresh")
    report.check("publish: a path that is gone is named", "was it moved" in "".join(new["warnings"]),
                 new["warnings"])
    again = publish("second", "--key", old["dataset_key"], state="fresh")
    report.equal("publish: and goes on by its key", again["dataset_key"], old["dataset_key"])
    report.check("publish: a path that changes its key is said to", len(again["warnings"]) == 1
                 and new["dataset_key"] in again["warnings"][0], again["warnings"])
    asked = run("log", "ab" * 32, "--state", "fresh", *alone)
    report.check("log: nobody to ask", asked.returncode == 1 and b"nobody to ask" in asked.stderr,
                 asked.stderr)


def content_goes_away():
    """A join whose content was removed does not say that it is complete."""
    with node.seed("second", "fresh", LISTEN) as seed:
        started = seed.wait("started")
        inside = run("join", started["magnet"], "second", "--state", "fresh", "--no-dht", "--no-lan",
                     "--no-mapping", "--listen", LISTEN)
        report.check("join into what is published", inside.returncode == 1
                     and b"is what you publish as" in inside.stderr
                     and os.listdir("second") == ["a"], inside.stderr)
        # As it is in the source of a web page.
        link = started["magnet"].replace("&", "&amp;")
        join = subprocess.Popen(
            [PROGRAM, "join", link, "got", "--state", "reader", "--no-dht", "--no-lan",
             "--no-mapping", "--listen", LISTEN, "--peer", started["listening"][0], "--json"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        events = []
        for line in join.stdout:
            events.append(json.loads(line))
            if events[-1]["event"] == "finished":
                break
        shutil.rmtree(events[-1]["path"])
        join.terminate()
        out, _ = join.communicate(timeout=30)
        stopped = [json.loads(line) for line in out.splitlines()][-1]
        report.equal("what is gone is not finished", (join.returncode, stopped["finished"]),
                     (128 + signal.SIGTERM, False))


def damaged_head():
    key = os.listdir("state/keys")[0]
    head = f"state/datasets/{key}/head"
    with open(head, "r+b") as file:
        file.truncate(40)
    trees.write(b"data", b"last", b"last")
    result = run("publish", "data", "--state", "state")
    report.check("a damaged head is named", b"head" in result.stderr, repr(result.stderr))
    return result.returncode


with tempfile.TemporaryDirectory(prefix="swarm-versions-") as scratch:
    PROGRAM = os.path.abspath(PROGRAM)
    os.chdir(scratch)
    os.mkdir("other")
    trees.write(b"data", b"big", trees.content("big", 3_000_000))
    trees.write(b"data", b"small", trees.content("small", 1_000))
    trees.write(b"data", b"sub/same", trees.content("same", 700_000))
    published = a_folder_gets_a_key()
    versions_follow(published)
    keys_move(published)
    two_at_once()
    nobody_shares_by_mistake()
    content_goes_away()
report.finish()
