"""The command line as people expect it: what is said of wrong input, on a terminal and in a pipe, in colour and
without; without a daemon, with a port in use, another user's and a newer program's state folder; when nobody is
found, and when a peer that was named comes late; --json of every command, and what statuses mean."""
import contextlib
import fcntl
import json
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import isolate

isolate.isolated()
from report import Report
import swarm

KEY = "ab" * 32
PROGRAM = os.path.abspath(swarm.PROGRAM)
ALONE = ("--no-dht", "--no-lan", "--no-mapping")
NOBODY = 65534
report = Report()


def environment(**variables):
    """Nothing of the machine's own settings, and a home of our own."""
    known = {each: value for each, value in os.environ.items()
             if each not in ("NO_COLOR", "XDG_DATA_HOME", "XDG_RUNTIME_DIR")}
    return known | {"HOME": os.path.join(scratch, "home"), "TERM": "xterm",
                    "XDG_RUNTIME_DIR": os.path.join(scratch, "run")} | variables


def run(*words, user=None, patience=60, **variables):
    keywords = {"user": user, "group": user, "extra_groups": []} if user else {}
    return subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=patience, check=False,
                          stdin=subprocess.DEVNULL, env=environment(**variables), **keywords)


def start(*words):
    """The program in the background; its standard error is read by who wants it."""
    return subprocess.Popen([PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            stdin=subprocess.DEVNULL, env=environment())


def on_terminal(*words, columns=80, seconds=20, until=None, **variables):
    """What a terminal shows, and the exit status; the program is stopped when `until` was seen."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(PROGRAM, [PROGRAM, *words], environment(**variables))
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    seen, end = b"", time.monotonic() + seconds
    os.set_blocking(terminal, False)
    is_told = False
    while time.monotonic() < end:
        try:
            part = os.read(terminal, 65536)
        except BlockingIOError:
            time.sleep(0.05)
            continue
        except OSError:
            break
        if not part:
            break
        seen += part
        if until and not is_told and re.search(until, " ".join(seen.decode(errors="replace").split())):
            os.kill(pid, signal.SIGINT)
            is_told = True
    with contextlib.suppress(ProcessLookupError):
        if not is_told and until:
            os.kill(pid, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(terminal)
    return seen.decode(errors="replace"), status


def refused(name, result, words, status=1):
    """Said as everything is said: the first line is of the program, and nothing is a result."""
    lines = result.stderr.splitlines() or [""]
    report.check(name, result.returncode == status and not result.stdout and lines[0].startswith("swarm: ")
                 and words in lines[0] and "\x1b" not in result.stderr,
                 f"status {result.returncode}, {result.stdout[:200]!r}, {result.stderr[:400]!r}")


def wrong_words():
    with open("link.txt", "w", encoding="utf-8") as file:
        file.write(f"magnet:?xs=urn:btpk:{KEY}\n")
    run("create", "data", "-o", "data.torrent")
    os.mkdir("taken")
    with open("taken/nbd.sock", "w", encoding="ascii"):
        pass
    for link in (f" '{KEY}' ", f"<magnet:?xs=urn:btpk:{KEY}>", f"“{KEY}”", KEY[:40]):
        report.equal(f"inspect {link}: what is around a link does no harm", run("inspect", link).returncode, 0)
    with open("marked.txt", "wb") as file:
        file.write(b"\xef\xbb\xbf" + KEY.encode() + b"\r\n")
    report.equal("nor a mark of the encoding", run("inspect", "@marked.txt").stdout, run("inspect", KEY).stdout)
    for words, said, status in (
            (["sed", "data"], "did you mean 'seed'?", 64),
            (["frobnicate"], "there is no command 'frobnicate'", 64),
            (["key", "lst"], "did you mean 'list'?", 64),
            (["help", "sed"], "did you mean 'seed'?", 64),
            (["help", "key", "frobnicate"], "there is no command 'frobnicate'", 64),
            (["key", "export", "data", "secret"], "is not published by key here", 1),
            (["seed", "data", "--listn", "1"], "Did you mean '--listen'?", 64),
            (["seed"], "missing expected argument", 64),
            (["join", KEY, "--peer", "nobody"], "--peer nobody: a host and a port", 64),
            (["join", KEY, "--download-limit", "1.5M"], "--download-limit 1.5M: a whole number", 64),
            (["join", KEY, "--upload-limit", "0"], "--upload-limit 0: at least 1", 64),
            (["join", KEY, "--max-peers", "0"], "--max-peers 0: from 1 to", 64),
            (["join", KEY, "--keep", "-1"], "--keep -1: a whole number", 64),
            (["seed", "data", "--listen", "localhost:1234"], "--listen localhost:1234: an address", 64),
            (["seed", "--verison"], "nknown option '--verison'", 64),
            (["create", "data", "--tracker", "foo"], "--tracker foo: a URL", 64),
            (["create", "data", "--format", "v3"], "'v3' is invalid", 64),
            (["diff", KEY, "x"], "<old> x: a version's number", 64),
            (["seed", "magnet:?xs=urn:btpk:" + KEY], "swarm join fetches", 1),
            (["verify", "urn:btpk:" + KEY, "data"], "swarm join fetches", 1),
            (["verify", "data", "data.torrent"], "swarm verify data.torrent data", 1),
            (["join", KEY + "@x"], "as in KEY@3", 1),
            (["join", KEY[:30] + " " + KEY[30:]], "a blank after character 30", 1),
            (["join", ""], '"" is neither', 1),
            (["inspect", "@data.torrent"], "leave out the @", 1),
            (["create", "data", "--piece-length", "5"], "--piece-length 5: a power of two", 64),
            (["create", "data", "-o", "-"], "not to standard output", 64),
            (["key", "export", KEY, "-", "--json"], "exclude each other", 64),
            (["boot", KEY, "--wait", "0"], "--wait is at least 1 second", 64),
            (["boot", KEY, "--qemu", "./data/a"], "cannot be run: Permission denied", 1),
            (["daemon", *ALONE, "--listen", "127.0.0.1:0", "--sockets", "taken", "--state", "taken/state"],
             "is a file and not a socket", 1),
            (["export", "--remove"], "name the export to remove", 64),
            (["log", KEY, "--timeout", "0"], "--timeout 0: at least 1", 64),
            (["join", "magnet:?dn=data"], "quotes", 1),
            (["join", KEY[:-1]], "63 hex digits", 1),
            (["join", KEY[:-1] + "g"], "character 64", 1),
            (["join", "manget:?xs=urn:btpk:" + KEY], "begins with \"magnet:?\"", 1),
            (["join", "magnet:?xs=urn:btpk:" + KEY[:-2]], "copied whole", 1),
            (["join", "nothing"], "neither a link nor a key", 1),
            (["join", "https://example.org/data"], "an address of the web", 1),
            (["join", "data"], "is a folder", 1),
            (["join", "data/a"], "is no .torrent", 1),
            (["join", "link.txt"], "@link.txt", 1),
            (["boot", "nothing"], "neither a link nor a key", 1),
            (["inspect", "nothing"], "neither a link nor a key", 1),
            (["inspect", "data"], "is a folder", 1),
            (["inspect", "magnet:?dn=data"], "quotes", 1),
            (["log", "nothing"], "neither a link nor a key", 1),
            (["trace", "nothing"], "neither a link nor a key", 1),
            (["verify", "data", "data"], "is a folder", 1),
            (["verify", "data/a", "data"], "is no .torrent", 1),
            (["seed", "nothing"], "No such file", 1),
            (["publish", "nothing"], "No such file", 1),
            (["create", "nothing"], "No such file", 1),
            (["key", "export", KEY, "secret"], "swarm key list", 1),
            (["diff", KEY, "0"], "counted from 1", 1)):
        refused(" ".join(words), run(*words), said, status)


def colours():
    """On a terminal alone, never with NO_COLOR, and the words are the same."""
    coloured, status = on_terminal("join", "nothing")
    report.check("an error on a terminal has colour", "\x1b[" in coloured and status == 1, repr(coloured))
    bare = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    for name, variables in (("NO_COLOR", {"NO_COLOR": "1"}), ("a dumb terminal", {"TERM": "dumb"})):
        plain, _ = on_terminal("join", "nothing", **variables)
        report.equal(f"{name}: the same words", plain, bare)
        looked, _ = on_terminal("doctor", *ALONE, "--timeout", "1", **variables)
        report.check(f"{name}: no colour in results", "\x1b[" not in looked and "clock:" in looked, repr(looked))
    looked, _ = on_terminal("doctor", *ALONE, "--timeout", "1", columns=60)
    report.check("results on a terminal have colour", "\x1b[32mok" in looked, repr(looked))
    widths = [len(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in looked.split("\r\n")]
    report.check("no line is wider than the terminal", max(widths) <= 60, f"{widths} {looked!r}")
    report.check("results in a pipe have none", "\x1b" not in run("doctor", *ALONE, "--timeout", "1").stdout)


def named_peers():
    """`swarm doctor --peer` tries each."""
    with socket.socket() as there, socket.socket() as gone:
        for each in (there, gone):
            each.bind(("127.0.0.1", 0))
        there.listen()
        places = [f"127.0.0.1:{each.getsockname()[1]}" for each in (there, gone)]
        looked = run("doctor", *ALONE, "--timeout", "1", "--peer", places[0], "--json")
        last = json.loads(looked.stdout)["checks"][-1]
        report.check("doctor --peer: one that is there", (last["check"], last["verdict"]) == ("peers", "fine"), last)
        looked = run("doctor", *ALONE, "--timeout", "1", "--peer", places[1])
        report.check("doctor --peer: one that is not", looked.returncode == 1 and f"{places[1]}: Connection refused"
                     in looked.stdout, looked.stdout)
        report.check("what is off is said", all(f"off ({option})" in looked.stdout for option in ALONE),
                     looked.stdout)


def without_daemon():
    for words in (["ls"], ["status"], ["status", "x"], ["peers", "x"], ["rm", "x"], ["export"], ["export", "x"],
                  ["add", KEY]):
        refused(f"no daemon: {words}", run(*words), "no daemon is running here")
        result = run(*words, "--json")
        refused(f"no daemon: {words} --json", result, "swarm daemon starts one")


def ports():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        for words in (["seed", "data"], ["join", KEY], ["publish", "data"], ["daemon"], ["log", KEY]):
            result = run(*words, "--listen", place, "--state", "ports")
            refused(f"a port in use: {words[0]}", result, "another program has the port")
        report.check("it is said before anything is hashed", "hashed" not in result.stderr, result.stderr)
    refused("an address of another machine", run("seed", "data", "--listen", "192.0.2.1:7000"), "no such address")


def state_folders():
    run("key", "list", "--state", "newer")
    with open("newer/format", encoding="ascii") as file:
        report.equal("a new state folder says its format", file.read(), "1\n")
    with open("newer/format", "w", encoding="ascii") as file:
        file.write("2\n")
    before = sorted(os.walk("newer"))
    for words in (["seed", "data"], ["join", KEY], ["boot", KEY, "--qemu", "/bin/true"], ["publish", "data"],
                  ["log", KEY], ["diff", KEY, "1"], ["trace", KEY], ["key", "list"], ["daemon"]):
        refused(f"a newer state folder: {words[0]}", run(*words, "--state", "newer"), "newer swarm (format 2")
    looked = run("doctor", *ALONE, "--state", "newer", "--timeout", "1")
    report.check("a newer state folder: doctor", looked.returncode == 1 and "newer swarm" in looked.stdout,
                 looked.stdout)
    report.equal("a newer state folder is left as it is", sorted(os.walk("newer")), before)
    if os.geteuid() == 0:
        os.mkdir("private", 0o700)
        refused("another user's state folder", run("key", "list", "--state", os.path.abspath("private/x"),
                                                   user=NOBODY), "name another by --state")
    refused("a file as state folder", run("key", "list", "--state", "data/a"), "name another by --state")


def in_background():
    """Below a shell with job control: in the background nothing is drawn, in the foreground it is."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve("/bin/bash", ["bash", "--noprofile", "--norc", "-i"],
                  environment(PS1="$ ", HISTFILE="/dev/null", INPUTRC="/dev/null"))
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 200, 0, 0))
    os.set_blocking(terminal, False)

    def seen(seconds, until=None):
        """What the terminal shows from now on, up to a text or for so long."""
        text, end = b"", time.monotonic() + seconds
        while time.monotonic() < end and not (until and re.search(until, text.decode(errors="replace"))):
            try:
                text += os.read(terminal, 65536)
            except BlockingIOError:
                time.sleep(0.05)
            except OSError:
                break
        return text.decode(errors="replace")

    def type_in(line):
        os.write(terminal, line.encode())

    drawing = r"seeding .*up \d+ bytes/s"
    words = " ".join((PROGRAM, "seed", "data", *ALONE, "--listen", "10.99.0.2:7010", "--state", "background"))
    type_in(f"{words} &\n")
    shown = seen(30, r"listening at +\S+\r\n")
    report.check("in the background: results are told", "magnet:?" in shown and "listening at" in shown, shown)
    shown += seen(2)
    type_in("echo typed-$((40 + 2))\n")
    shown += seen(10, "typed-42") + seen(1)
    report.check("in the background: nothing is drawn", "typed-42" in shown and not re.search(drawing, shown),
                 repr(shown))
    type_in("fg\n")
    shown = seen(10, drawing)
    report.check("in the foreground: it is drawn", re.search(drawing, shown), repr(shown))
    type_in("\x1a")
    shown = seen(10, "Stopped")
    report.check("Ctrl-Z stops it", "Stopped" in shown, repr(shown))
    seen(0.5)
    type_in("fg\n")
    shown = seen(10, drawing)
    before = shown[:re.search(drawing, shown).start()] if re.search(drawing, shown) else "\x1b[A"
    report.check("on going on the lines of the shell stay", "\x1b[A" not in before, repr(shown))
    type_in("\x1a")
    seen(10, "Stopped")
    seen(0.5)
    type_in("bg\n")
    shown = seen(3)
    report.check("back in the background: nothing is drawn", not re.search(drawing, shown), repr(shown))
    type_in("kill %1; wait; exit\n")
    seen(20)
    _, status = os.waitpid(pid, 0)
    report.equal("the shell ends", os.waitstatus_to_exitcode(status), 0)
    os.close(terminal)


def nobody_there():
    """After a while it is said what to look at, whole on a small terminal too."""
    seen, status = on_terminal("join", KEY, "out", *ALONE, columns=60, seconds=40, until="swarm doctor looks at")
    words = " ".join(re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", seen).split())
    report.check("no peers of a key", "that somebody shares it now; swarm doctor looks at this machine" in words
                 and "no peers found after 1" in words, words[-600:])
    report.equal("Ctrl-C before all is there", status, 130)
    seen, _ = on_terminal("join", "urn:btih:" + KEY[:40], "out", *ALONE, columns=60, seconds=40,
                          until="let swarm doctor look")
    words = " ".join(re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", seen).split())
    report.check("no peers of an infohash", "let swarm doctor look at this machine" in words, words[-600:])


def late_peers():
    """A peer that is named and not there yet is found when it is, by its address and by its name."""
    publisher = start("seed", "data", *ALONE, "--listen", "10.99.0.2:7000", "--state", "publisher")
    link = ""
    for line in iter(publisher.stdout.readline, ""):
        if line.startswith("link"):
            link = line.split(None, 1)[1].strip()
        if line.startswith("listening"):
            break
    publisher.send_signal(signal.SIGINT)
    publisher.communicate(timeout=30)
    report.equal("Ctrl-C ends a seed with 0", publisher.returncode, 0)
    report.check("a link is told", link.startswith("magnet:?"), link)
    hosts = os.path.join(scratch, "hosts")
    with open(hosts, "w", encoding="ascii") as file:
        file.write("127.0.0.1 localhost\n")
    subprocess.run(["mount", "--bind", hosts, "/etc/hosts"], check=True)
    key = re.search("btpk:([0-9a-f]{64})", link)[1]
    joins = {"by its address": start("join", key, "late1", *ALONE, "--once", "--state", "late1.state",
                                     "--peer", "10.99.0.2:7000"),
             "by the link": start("join", link + "&x.pe=10.99.0.2:7000", "late2", *ALONE, "--once", "--state",
                                  "late2.state"),
             "by its name": start("join", link, "late3", *ALONE, "--once", "--state", "late3.state", "--peer",
                                  "publisher.test:7000")}
    time.sleep(6)
    with open(hosts, "a", encoding="ascii") as file:
        file.write("10.99.0.2 publisher.test\n")
    publisher = start("seed", "data", *ALONE, "--listen", "10.99.0.2:7000", "--state", "publisher")
    begin = time.monotonic()
    for name, join in joins.items():
        try:
            _, errors = join.communicate(timeout=max(60 - (time.monotonic() - begin), 1))
        except subprocess.TimeoutExpired:
            join.kill()
            _, errors = join.communicate()
        report.check(f"a peer that comes late is found {name}", join.returncode == 0, errors[-500:])
        report.note(f"{name}: {time.monotonic() - begin:.1f} s after it listens")
    publisher.send_signal(signal.SIGTERM)
    publisher.communicate(timeout=30)
    report.equal("SIGTERM ends a seed with 0", publisher.returncode, 0)


def leaves(definition, path=()):
    """(path, names of options) of each command that does something."""
    inner = [each for each in definition.get("subcommands", []) if each["commandName"] != "help"]
    if not inner:
        yield path, {name["name"] for each in definition["arguments"] for name in each.get("names", [])}
    for each in inner:
        yield from leaves(each, (*path, each["commandName"]))


def options():
    definition = json.loads(run("--experimental-dump-help").stdout)["command"]
    commands = dict(leaves(definition))
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/json.md"), encoding="utf-8") as file:
        documented = set(re.findall(r"`(\w+)`", file.read().split("\n| command | what it prints |")[1]
                                    .split("\n## ")[0]))
    for path, names in commands.items():
        report.check(f"swarm {' '.join(path)} has --json", "json" in names)
        report.check(f"docs/json.md has swarm {path[0]}", path[0] in documented)
        # The parser adds a default that it knows.
        shown = " ".join(run(*path, "--help").stdout.split())
        report.check(f"swarm {' '.join(path)} --help tells each default once",
                     not re.search(r"\(default: [^()]*\) \([^()]*default:", shown), shown[:2000])
        if "peer" in names and "dht-node" in names:
            report.check(f"swarm {' '.join(path)} has -v", {"v", "verbose"} <= names)
    for name in ("seed", "join", "publish", "boot", "add", "export", "log"):
        report.check(f"swarm {name} --help has examples", re.search(rf"^Examples:\n  swarm {name} ",
                                                                   run(name, "--help").stdout, re.M))
    return commands


def objects():
    """Every command that ends by itself prints one object."""
    asked = set()

    def is_object(*words, statuses=(0,)):
        asked.add(words[:2] if words[0] == "key" else words[:1])
        result = run(*words, "--json")
        try:
            answer = json.loads(result.stdout)
        except ValueError:
            answer = None
        report.check(f"{words} --json", isinstance(answer, dict) and result.returncode in statuses
                     and "\x1b" not in result.stdout, f"{result.returncode} {result.stdout[:200]} {result.stderr[:300]}")
        return answer or {}

    state = ("--state", "objects")
    is_object("create", "data", "-o", "objects.torrent")
    is_object("inspect", "objects.torrent")
    is_object("verify", "objects.torrent", ".")
    key = is_object("publish", "data", "--no-spread", *state)["dataset_key"]
    is_object("log", "data", *state)
    is_object("diff", "data", "1", "1", *state)
    is_object("key", "list", *state)
    is_object("key", "export", key, "secret", *state)
    report.equal("key export takes a path",
                 is_object("key", "export", "data", "secret-of-data", *state).get("dataset_key"), key)
    is_object("key", "import", "secret", "--state", "other")
    is_object("doctor", *ALONE, "--timeout", "1", *state, statuses=(0, 1))
    daemon = start("daemon", *ALONE, "--listen", "10.99.0.3:7000", *state)
    for _ in range(100):
        if run("ls").returncode == 0:
            break
        time.sleep(0.1)
    is_object("add", "data", *state)
    is_object("ls")
    is_object("status")
    is_object("status", "data")
    is_object("status", "data", "--link")
    is_object("peers", "data")
    report.equal("peers --add --json", is_object("peers", "data", "--add", "10.99.0.4:1"),
                 {"id": key, "added": "10.99.0.4:1"})
    is_object("export", "data", "a", "--name", "short")
    is_object("export")
    report.equal("export --remove --json", is_object("export", "short", "--remove"), {"removed": "short"})
    if os.geteuid() == 0:
        os.chmod(os.path.join(scratch, "run"), 0o755)
        os.chmod(os.path.join(scratch, "run/swarm"), 0o755)
        refused("another user's daemon", run("ls", user=NOBODY), "another user's")
    refused("a second daemon", run("daemon", *ALONE, "--state", "second"), "--sockets")
    run("key", "list", "--state", "stranger")
    os.mkdir("strange")
    with open("strange/x", "w", encoding="ascii") as file:
        file.write("x")
    result = run("add", "strange", "--state", "stranger")
    report.check("add with another state folder", result.returncode == 1 and "--state" in result.stderr, result.stderr)
    is_object("rm", "data")
    daemon.send_signal(signal.SIGTERM)
    daemon.communicate(timeout=30)
    report.equal("SIGTERM ends a daemon with 0", daemon.returncode, 0)
    return asked


with tempfile.TemporaryDirectory(prefix="swarm-terminal-") as scratch:
    os.chmod(scratch, 0o755)
    os.chdir(scratch)
    for each in ("home", "run", "data"):
        os.mkdir(each)
    os.chmod("home", 0o777)
    for each in "ab":
        with open(os.path.join("data", each), "w", encoding="ascii") as target:
            target.write("".join(f"{number}\n" for number in range(30000)))
    for test in (wrong_words, colours, named_peers, without_daemon, ports, state_folders, in_background, nobody_there,
                 late_peers):
        test()
    all_commands, all_asked = options(), objects()
    missing = {path for path in all_commands if path not in all_asked}
    # Those print events as long as they run (docs/json.md), and trace needs a boot: interop/nbd/trace.py.
    report.equal("every other command was asked for JSON", missing,
                 {("seed",), ("join",), ("boot",), ("daemon",), ("trace",)})
    subprocess.run(["umount", "/etc/hosts"], check=False)
report.finish()
