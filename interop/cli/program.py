"""The real program as people and scripts use it: what it prints where, its statuses, its JSON as
docs/json.md has it, files that cannot be read, that change, that are mostly holes, and targets
that must not be written to. Everything happens in one folder, which is removed.
"""
import json
import os
import pty
import re
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import node
import trees
from report import Report
from swarm import PROGRAM, run, run_json

HERE = os.path.dirname(os.path.abspath(__file__))
NOBODY = 65534
report = Report()


def refused(name, result, words, status=1):
    """One line on standard error with `words` in it, nothing on standard output."""
    lines = result.stderr.decode(errors="replace").splitlines()
    report.check(name, result.returncode == status and not result.stdout and len(lines) == 1
                 and lines[0].startswith("swarm: ") and words in lines[0],
                 f"status {result.returncode}, {result.stdout[:200]!r}, {result.stderr[:300]!r}")


def as_nobody(*arguments):
    """Runs a copy of the program as a user who owns nothing."""
    return subprocess.run([b"nobody-swarm", *arguments], executable=COPY, capture_output=True,
                          user=NOBODY, group=NOBODY, extra_groups=[], timeout=60, check=False)


def documented(heading):
    """The keys in the tables below a heading of docs/json.md."""
    with open(os.path.join(HERE, "../../docs/json.md"), encoding="utf-8") as file:
        text = file.read().split(f"## {heading}\n")[1].split("\n## ")[0]
    tables = [re.findall(r"^\| (`.*?`) \|", part, re.M) for part in text.split("\nFor a link:")]
    return [[key for row in table for key in re.findall(r"`(\w+)`", row)] for table in tables]


def json_documentation():
    """Exactly the keys that docs/json.md lists, in its order."""
    common = documented("What every torrent has")[0]
    created, _ = run_json("create", "tree", "-o", "json.torrent")
    keys = common + documented("`swarm create --json`")[0]
    report.equal("JSON of create", list(created), keys)
    of_torrent, of_link = documented("`swarm inspect --json`")
    inspected, _ = run_json("inspect", "json.torrent")
    report.equal("JSON of inspect", list(inspected), common + of_torrent)
    report.equal("JSON of inspect: a file", list(inspected["files"][0]),
                 ["path", "length", "executable", "hidden", "symlink", "pieces_root"])
    link, _ = run_json("inspect", created["magnet"])
    report.equal("JSON of inspect: a link", list(link), of_link)
    verified, _ = run_json("verify", "json.torrent", "void", statuses=(1,))
    report.equal("JSON of verify", list(verified), documented("`swarm verify --json`")[0])
    report.equal("JSON of verify: a file", list(verified["files"][0]),
                 ["path", "right", "problems", "differing_ranges"])
    report.equal("JSON: the same in all", {each["infohash_v2"] for each in
                                           (created, inspected, link)}, {created["infohash_v2"]})


def targets():
    """Where a torrent must not be written to. Devices only by nodes of our own."""
    for name in ("content", "hard", "soft"):
        refused(f"output over the content ({name})", run("create", "content", "-o", name),
                "it is the content itself")
    report.equal("the content is still there", os.path.getsize("content"), 300000)
    for name in ("pipe", "to-pipe"):
        refused(f"output over a FIFO ({name})", run("create", "content", "-o", name),
                "not a regular file")
    if os.geteuid() == 0:
        os.mknod("node", 0o20600, os.makedev(1, 3))
        refused("output over a device", run("create", "content", "-o", "node"), "not a regular file")
    refused("output that is a folder", run("create", "content", "-o", "void"), "Is a directory")
    refused("output in no folder", run("create", "content", "-o", "none/x"), "No such file")
    refused("output inside the tree", run("create", "tree", "-o", "tree/x"), "inside the folder")
    long = "n" * 247
    os.mkdir(long)
    trees.write(long.encode(), b"a", b"a")
    report.equal("the longest name", run("create", long).returncode, 0)
    report.check("the longest name: no trace", not [each for each in os.listdir(".")
                                                   if each.endswith(".tmp")])


def streams():
    """Standard output that cannot be written to, that closes early, and that was never there."""
    run("create", "many", "-o", "many.torrent")
    command = [PROGRAM, "inspect", "many.torrent", "--files"]
    with open("/dev/full", "wb") as full:
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    report.check("a full standard output", result.returncode == 1
                 and b"No space left" in result.stderr, f"{result.returncode} {result.stderr!r}")
    closed = subprocess.run(["bash", "-c", '"$0" "$@" >&-', *command], stderr=subprocess.PIPE,
                            check=False)
    report.check("a closed standard output", closed.returncode == 1
                 and closed.stderr.startswith(b"swarm: cannot write to standard output"),
                 f"{closed.returncode} {closed.stderr!r}")
    silent = subprocess.run(["bash", "-c", '"$0" "$@" 2>&-', PROGRAM, "create", "tree", "-o",
                             "silent.torrent"], stdout=subprocess.PIPE, check=False)
    report.check("a closed standard error", silent.returncode == 0
                 and run("inspect", "silent.torrent").returncode == 0)
    head = subprocess.run(["bash", "-c", '"$0" "$@" | head -1; exit ${PIPESTATUS[0]}', *command],
                          capture_output=True, check=False)
    report.check("a reader that leaves", head.returncode in (0, 128 + signal.SIGPIPE)
                 and not head.stderr and head.stdout.count(b"\n") == 1, f"{head!r}")
    piped = subprocess.run(["bash", "-c", '"$0" inspect <(sleep 0.2; cat many.torrent)', PROGRAM],
                           capture_output=True, check=False)
    report.check("a torrent from a slow pipe", piped.returncode == 0, f"{piped!r}")
    escape = run("inspect", "magnet:?xt=urn:btih:" + "0" * 40 + "&tr=http://%1b%5d0;x%07&ws=http://%0a")
    report.check("a link with control characters", escape.returncode == 0
                 and b"\x1b" not in escape.stdout and b"\\x1b" in escape.stdout, f"{escape!r}")


def interrupted():
    """Ctrl-C on a terminal in mid-work: the bar is cleared, and no file is left."""
    with open("slow", "wb") as file:
        file.truncate(2 << 30)
        for at in range(0, 2 << 30, 1 << 20):
            os.pwrite(file.fileno(), b"x", at)
    before = set(os.listdir("."))
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm"
        os.execv(PROGRAM, [PROGRAM, "create", "slow", "-o", "slow.torrent", "--format", "v1"])
    seen = b""
    try:
        while b"left" not in seen:
            seen += os.read(terminal, 4096)
        os.write(terminal, b"\x03")
        while True:
            seen += os.read(terminal, 4096)
    except OSError:  # The terminal's other end is closed.
        pass
    _, status = os.waitpid(pid, 0)
    report.equal("Ctrl-C: ends by the signal", os.waitstatus_to_exitcode(status), -signal.SIGINT)
    report.check("Ctrl-C: the bar is cleared", seen.endswith(b"\r\x1b[K"), repr(seen[-60:]))
    report.equal("Ctrl-C: nothing is left", set(os.listdir(".")), before)
    os.remove("slow")


def readable():
    """What another user may not read is named, and not called missing."""
    if os.geteuid() != 0:
        report.note("not root: nothing tried as another user")
        return
    os.chmod("tree/sub/b", 0o600)
    refused("create: an unreadable file",
            as_nobody("create", "tree", "-o", "open/x.torrent"), "tree/sub/b: Permission denied")
    os.chmod("tree/sub", 0o700)
    refused("create: an unreadable folder",
            as_nobody("create", "tree", "-o", "open/x.torrent"), "tree/sub: Permission denied")
    report.equal("nothing is left", os.listdir("open"), [])
    refused("create: a folder that cannot be written to",
            as_nobody("create", "content", "-o", "x.torrent"), "x.torrent: Permission denied")
    os.chmod("json.torrent", 0o644)
    result = as_nobody("verify", "json.torrent", "tree", "--json")
    files = {each["path"]: each["problems"] for each in json.loads(result.stdout)["files"]}
    report.check("verify: an unreadable folder", result.returncode == 1 and list(files) == ["sub/b"]
                 and "Permission denied" in files["sub/b"][0], repr(files))
    os.chmod("tree/sub", 0o755)
    os.chmod("tree/sub/b", 0o644)


def changing():
    """A file that another process writes to, cuts short or removes while it is hashed."""
    for kind in ("v2", "v1", "hybrid"):
        for how in ("write", "cut", "grow", "remove"):
            with open("racing", "wb") as file:
                for _ in range(512):
                    file.write(b"r" * (1 << 20))
            process = stopped_in_mid_work(kind)
            if how == "remove":
                os.remove("racing")
            else:
                with open("racing", "r+b") as file:
                    if how == "write":
                        os.pwrite(file.fileno(), b"w", 511 << 20)
                    else:
                        file.truncate(100 if how == "cut" else 513 << 20)
            process.send_signal(signal.SIGCONT)
            out, err = process.communicate(timeout=60)
            report.check(f"a file that changes: {how}, {kind}", process.returncode == 1 and not out
                         and err.startswith(b"swarm: racing changed while it was hashed")
                         and not os.path.exists("racing.torrent"),
                         f"status {process.returncode}, {out[:200]!r}, {err[:300]!r}")
            for name in ("racing", "racing.torrent"):
                if os.path.exists(name):
                    os.remove(name)


def stopped_in_mid_work(kind):
    """A process that holds a part of the file: what happens now happens while it is hashed. One
    thread hashes, so that ours gets its turn; where it still comes too late, it tries again."""
    while True:
        process = subprocess.Popen(
            [PROGRAM, "create", "racing", "-o", "racing.torrent", "--format", kind],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=os.environ | {"UV_THREADPOOL_SIZE": "1"})
        while process.poll() is None:
            if is_mapped(process.pid, b"racing"):
                process.send_signal(signal.SIGSTOP)
                os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
                if is_mapped(process.pid, b"racing"):
                    return process
                process.send_signal(signal.SIGCONT)
        process.communicate()
        if os.path.exists("racing.torrent"):
            os.remove("racing.torrent")


def is_mapped(pid, name):
    try:
        with open(f"/proc/{pid}/maps", "rb") as file:
            return name in file.read()
    except OSError:
        return False


# Runs a command as a child of a small process: what a process had before it became another program
# counts as its own, and this script may have more than the program.
MEASURE = """
import os, sys
child = os.fork()
if child == 0:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    os.dup2(2, 1)
    os.execv(sys.argv[1], sys.argv[1:])
_, status, usage = os.wait4(child, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss)
"""


def measured(command):
    """How the command ended, and the most memory that it had, in KiB."""
    result = subprocess.run([sys.executable, "-S", "-c", MEASURE, *command], capture_output=True,
                            check=True)
    return (int(each) for each in result.stdout.split())


def holes():
    """A disk image of 1 TiB that is nearly all hole: in seconds, and in little memory."""
    with open("image", "wb") as file:
        file.truncate(1 << 40)
        os.pwrite(file.fileno(), b"x", 700 << 30)
    for kind in ("v2", "hybrid"):
        for what in (["create", "image", "-o", "image.torrent", "--format", kind],
                     ["verify", "image.torrent", "image"]):
            status, memory = measured([PROGRAM, *what])
            report.equal(f"1 TiB of holes, {what[0]} {kind}", status, 0)
            report.check(f"1 TiB of holes, {what[0]} {kind}: memory", 8 << 10 < memory < 64 << 10,
                         f"{memory} KiB")
    os.remove("image")


def same_infohash():
    """The order of making, times, the working folder and the way to the tree change nothing."""
    for name, order in (("1/data", 1), ("2/data", -1)):
        for number in list(range(40))[::order]:
            path = b"%d/f%d" % (number % 3, number)
            trees.write(name.encode(), path, trees.content(path, 5000))
            os.utime(os.path.join(name.encode(), path), (number * order + 100,) * 2)
    os.symlink("2/data", "way")
    hashes = {run_json("create", path, "-o", "same.torrent", "--name", "data")[0]["infohash_v2"]
              for path in ("1/data", "2/data", "2/data/", "2/../2/./data", "way")}
    report.equal("the same tree has one infohash", len(hashes), 1)
    result = subprocess.run([PROGRAM, "create", ".", "-o", "../same.torrent", "--json"],
                            cwd="2/data", capture_output=True, check=False)
    report.equal("and from inside", json.loads(result.stdout)["infohash_v2"], hashes.pop())


def libraries():
    """README names each package of Debian without which the program does not start."""
    with open(os.path.join(HERE, "../../README.md"), encoding="utf-8") as file:
        named = set(re.findall(r"`(lib[^`]+)`", file.read()))
    # These come with any Debian, or with libstdc++6.
    named |= {"libc6", "libgcc-s1"}
    result = subprocess.run(["readelf", "-d", PROGRAM], capture_output=True, text=True, check=True)
    needed = re.findall(r"\(NEEDED\).*\[(lib[^]]+)\]", result.stdout)
    report.check("it needs libraries", "libuv.so.1" in needed, needed)
    for library in needed:
        if library.startswith(("libswift", "libFoundation", "lib_Foundation", "libBlocks", "libdispatch")):
            continue  # a build that is no release
        found = subprocess.run(["dpkg", "-S", "*/" + library], capture_output=True, text=True,
                               check=False).stdout
        packages = {line.split(":")[0] for line in found.splitlines()}
        report.check(f"README names the package of {library}", packages & named, f"{packages}")


def arguments():
    """Options that make no sense are named."""
    for option, value in (("--tracker", "udp://a b"), ("--tracker", "none"),
                          ("--web-seed", b"http://\xff"), ("--tracker", "http://\x1b[0m"),
                          ("--comment", b"\xff"), ("--piece-length", "x"), ("--format", "v3")):
        result = run("create", "content", "-o", "never", option, value)
        report.check(f"{option} {value!r}", result.returncode == 64 and not result.stdout
                     and result.stderr.startswith(b"swarm: ") and b"\x1b" not in result.stderr,
                     f"{result.returncode} {result.stderr[:200]!r}")
    for name in ("a/b", "..", ""):
        refused(f"--name {name!r}", run("create", "content", "--name", name), "choose another")
    refused("a FIFO as content", run("create", "pipe"), "neither a file nor a folder")
    refused("no path", run("create", ""), '""')
    report.check("nothing was written", not os.path.exists("never"))


def hidden_words():
    """A read key that was given as a word is hidden from who looks at the program's words (/proc), and no more."""
    key, secret = "ab" * 32, "cd" * 32
    link = f"magnet:?xs=urn:btpk:{key}&x.rk={secret}&dn=records"
    with node.Node("join", link, "--state", "state", "--listen", "127.0.0.1:0", "--no-dht", "--no-lan",
                   "--no-mapping") as joining:
        joining.wait("started", 30)
        with open(f"/proc/{joining.pid}/cmdline", "rb") as file:
            words = file.read().split(b"\0")
        report.check("the program runs", joining.is_alive() and b"join" in words, joining.said())
        report.check("a read key is not among its words", secret.encode() not in b"\0".join(words))
        report.check("all else is", link.replace(secret, "*" * 64).encode() in words, repr(words))


with tempfile.TemporaryDirectory(prefix="swarm-program-") as scratch:
    PROGRAM = os.path.abspath(PROGRAM)
    os.chdir(scratch)
    os.chmod(scratch, 0o755)
    COPY = os.path.join(scratch, "copy-of-swarm")
    with open(PROGRAM, "rb") as source, open(COPY, "wb") as copy:
        copy.write(source.read())
    os.chmod(COPY, 0o755)
    for each in ("void", "open"):
        os.mkdir(each)
    os.chmod("open", 0o777)
    trees.write(b"tree", b"a", trees.content("a", 100000))
    trees.write(b"tree", b"sub/b", trees.content("b", 100))
    for number in range(2000):
        trees.write(b"many", b"%d" % number, b"%d" % number)
    trees.write(b".", b"content", trees.content("content", 300000))
    os.link("content", "hard")
    os.symlink("content", "soft")
    os.mkfifo("pipe")
    os.symlink("pipe", "to-pipe")
    for test in (json_documentation, targets, streams, interrupted, readable, changing, holes,
                 same_infohash, libraries, arguments, hidden_words):
        test()
report.finish()
