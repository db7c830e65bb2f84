"""Every command in every document, run as it stands: README.md and docs/, each on machines of its own that are in
one network and know nothing else. And each message of the table in docs/operations.md is one that the program has.

A block of commands (```sh, ```python) has a comment before it that says who types it:

    <!-- alice -->                        on that machine, one after the other; each has to go well
    <!-- alice, goes on -->               is left running until the document's end
    <!-- bob, waits for PATH -->          when that path is there
    <!-- bob, retries -->                 again and again until it goes well
    <!-- bob, python -->                  Python, with DuckDB
    <!-- bob, status 0 or 1 -->           either will do
    <!-- alice, after Ctrl-C -->          when what she left running has been stopped so, and has ended well
    <!-- not run: WHY -->                 cannot be run here
    <!-- test, bob: COMMAND -->           what no reader types: it looks whether what was typed did what it should

In links, "magnet:?xs=urn:btpk:…" is the last link that somebody printed, and KEY is the key of the first. README's
program is .build/release/swarm; the others' is `swarm`. People are root, and `sudo` and `systemctl` are
lib/service.py.
"""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from isolate import isolated

isolated()
import hosts
from clients import CACHE
from report import Report
from swarm import PROGRAM

TOP = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
PYTHON = os.path.join(CACHE, "swarmnode/duckdb-2.0.0/bin/python3")
LINK = "magnet:?xs=urn:btpk:…"
# What each person has for themselves.
PLACES = ("/srv", "/tmp", "/run", "/var/lib", "/etc/systemd/system")
# As which the service runs.
SWARM_USER = 964
# Seconds for a block, on a machine that does a lot besides.
PATIENCE = 60
BLOCK = re.compile(r"^<!-- test, ([^\n:]*):\s(.*?)\s-->$|(?:^<!-- ([^\n]*) -->\n)?^```(\w*)\n(.*?)^```$",
                   re.M | re.S)
COMMANDS = ("sh", "python", "bash", "console")
report = Report()


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def blocks(text):
    """(directive or None, language, lines) of each block that holds commands."""
    # A fence that is not closed would swallow the next block.
    assert text.count("\n```") % 2 == 0, "a fence is not closed"
    return [(found[1], "sh", found[2]) if found[1] else found.groups()[2:]
            for found in BLOCK.finditer(text) if found[1] or found[4] in COMMANDS]


def messages(text):
    """What the program says, of the first column of a document's table of messages."""
    table = text.partition("\n| message |")[2].partition("\n\n")[0]
    return [each for line in table.splitlines()[2:] for each in re.findall("`([^`]+)`", line.split(" | ")[0])]


def sources():
    """All of the program's sources, with texts that go over several lines made whole."""
    text = "".join(read(os.path.join(at, name)) for at, _, names in os.walk(os.path.join(TOP, "Sources"))
                   for name in sorted(names) if name.endswith(".swift"))
    return re.sub(r'"\s*\+ "', "", re.sub(r"^\s*//.*$", "", text, flags=re.M))


def has_users():
    """Whether programs can be run as other users here."""
    return sum(int(line.split()[2]) for line in read("/proc/self/uid_map").splitlines()) > SWARM_USER


class Person:
    """Somebody at a machine, with files of their own where documents have some."""

    def __init__(self, host, folder):
        self.host, self.running = host, []
        self.places = os.path.join(folder, host.namespace)
        for each in PLACES:
            os.makedirs(self.places + each)
        for name, line in (("passwd", f"swarm:x:{SWARM_USER}:{SWARM_USER}::/var/lib/swarm:/usr/sbin/nologin"),
                           ("group", f"swarm:x:{SWARM_USER}:")):
            with open(os.path.join(self.places, name), "w", encoding="utf-8") as file:
                file.writelines(each + "\n" for each in [*read("/etc/" + name).splitlines(), line]
                                if each == line or not each.startswith("swarm:"))
        build = os.path.join(host.home, ".build/release")
        os.makedirs(build)
        os.makedirs(os.path.join(host.home, "bin"))
        os.mkdir(os.path.join(host.home, "run"), 0o700)
        bin_folder = os.path.join(host.home, "bin")
        for place in (build, bin_folder):
            os.symlink(COPY, os.path.join(place, "swarm"))
        for name, words in (("sudo", f'/usr/bin/python3 {STAND_INS} sudo "$@"'),
                            ("systemctl", f'/usr/bin/python3 {STAND_INS} systemctl "$@"'),
                            ("systemd-sysusers", "id swarm")):
            with open(os.path.join(bin_folder, name), "w", encoding="utf-8") as file:
                file.write(f"#!/bin/sh\nexec {words}\n")
            os.chmod(file.name, 0o755)
        with open(self.places + "/etc/systemd/system/swarm.service", "w", encoding="utf-8") as file:
            file.write(read(os.path.join(TOP, "Packaging/swarm.service")).replace("@bindir@", bin_folder))

    def command(self, language, text):
        inner = [PYTHON, "-c", text] if language == "python" else ["bash", "-eu", "-c", text]
        # Mounts of their own, so that paths in documents are theirs.
        mounts = "".join(f'mount --bind "{self.places}{each}" {each} && ' for each in PLACES)
        mounts += "".join(f'mount --bind "{self.places}/{each}" /etc/{each} && ' for each in ("passwd", "group"))
        mounts += 'exec "$@"'
        return [*self.host.prefix, "env", f"XDG_RUNTIME_DIR={self.host.home}/run", "LC_ALL=C.UTF-8",
                f"PATH={self.host.home}/bin:/usr/bin:/bin:/usr/sbin:/sbin", "unshare", "--mount", "sh", "-c",
                mounts, "sh", *inner]

    def path(self, written):
        """Where a path in a document is for this script."""
        if written.startswith("$XDG_RUNTIME_DIR/"):
            return written.replace("$XDG_RUNTIME_DIR", self.host.home + "/run")
        if written.startswith("~/"):
            return self.host.home + written[1:]
        return self.places + written

    def begin(self, language, text):
        output = open(os.path.join(self.host.home, f"output{len(self.running)}"), "w+b")
        process = subprocess.Popen(
            self.command(language, text), cwd=self.host.home, stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT, start_new_session=True)
        self.running.append((process, output))
        return process, output

    def interrupt(self):
        """Ctrl-C for what goes on. What did not end well."""
        ended = []
        for process, output in self.running:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
                try:
                    status = process.wait(PATIENCE)
                except subprocess.TimeoutExpired:
                    status = "not at its end"
                ended += [(status, said(output)[-300:])] if status != 0 else []
        return ended

    def end(self):
        service = self.places + "/run/swarm.pid"
        if os.path.exists(service):
            os.kill(int(read(service)), signal.SIGKILL)
        for process, output in self.running:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            output.close()


def said(output):
    with open(output.name, encoding="utf-8", errors="replace") as file:
        return file.read()


class Document:
    def __init__(self, name, folder):
        self.name, self.link, self.key = name, None, None
        os.makedirs(folder)
        self.people = {}
        for who, namespace in (("alice", "h1"), ("bob", "h2")):
            host = hosts.Host(namespace, os.path.join(folder, who), None)
            self.people[who] = Person(host, folder)

    def learn(self, output):
        found = re.findall(r"magnet:\?\S+", said(output))
        if found:
            self.link = found[-1].strip("'\"")
        keys = re.findall(r"urn:btpk:([0-9a-f]{64})", said(output))
        self.key = self.key or (keys[0] if keys else None)
        return bool(found)

    def run(self, number, directive, language, text):
        """One block; whether the next one makes sense."""
        first = text.strip().split("\n")[0][:60]
        name = f"{self.name}, block {number} ({first})"
        if not report.check(f"{name}: says who types it", directive, "no comment before it"):
            return True
        if directive.startswith("not run: "):
            return report.check(f"{name}: says why it is not run", len(directive) > 20)
        who, *how = directive.split(", ")
        if not report.check(f"{name}: somebody types it", who in self.people, directive):
            return True
        person = self.people[who]
        if LINK in text:
            if not report.check(f"{name}: there is a link", self.link):
                return False
            text = text.replace(LINK, self.link)
        if re.search(r"\bKEY\b", text):
            if not report.check(f"{name}: there is a key", self.key):
                return False
            text = re.sub(r"\bKEY\b", self.key, text)
        if "sudo " in text and not HAS_USERS:
            report.note(f"{name}: SKIPPED: there is one user here; run as root")
            return False
        if "after Ctrl-C" in how:
            ended = person.interrupt()
            if not report.check(f"{name}: what went on ends well at Ctrl-C", not ended, ended):
                return False
        well = (0, 1) if "status 0 or 1" in how else (0,)
        if "python" in how:
            language = "python"
        for each in how:
            if each.startswith("waits for "):
                place = person.path(each.removeprefix("waits for "))
                if not report.check(f"{name}: {each}", hosts.wait_for(
                        lambda at=place: os.path.exists(at), PATIENCE), self.others()):
                    return False
        deadline = time.monotonic() + PATIENCE
        while True:
            process, output = person.begin(language, text)
            if "goes on" in how:
                hosts.wait_for(lambda: self.learn(output) or process.poll() is not None, 5)
                return report.check(f"{name}: goes on", process.poll() is None, said(output)[-500:])
            try:
                status = process.wait(max(1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                status = "not at its end"
            self.learn(output)
            if status in well or "retries" not in how or time.monotonic() > deadline:
                return report.check(f"{name}: goes well", status in well,
                                    f"{status}: {said(output)[-600:]} {self.others()}")
            time.sleep(0.5)

    def others(self):
        """The last words of what goes on, for a report."""
        return [said(output)[-200:] for person in self.people.values()
                for process, output in person.running if process.poll() is None]

    def end(self):
        for person in self.people.values():
            person.end()


def documents():
    found = ["README.md", "ARCHITECTURE.md"]
    found += sorted("docs/" + each for each in os.listdir(os.path.join(TOP, "docs")) if each.endswith(".md"))
    return found


# That a block can be found wanting.
assert blocks("<!-- alice -->\n```sh\na\n```\n<!-- test, bob: x\ny -->\n<!-- a -->\n\n```sh\nb\n```\n") == [
    ("alice", "sh", "a\n"), ("bob", "sh", "x\ny"), (None, "sh", "b\n")]
SOURCES = sources()
assert "no daemon is running here" in SOURCES and "no such message" not in SOURCES
for each in messages(read(os.path.join(TOP, "docs/operations.md"))):
    # Two are the system's words.
    report.check(f"the program says '{each}'", each in SOURCES or each in (os.strerror(13), os.strerror(28)))
HAS_USERS = has_users()
chosen = sys.argv[1:] or documents()
with tempfile.TemporaryDirectory(prefix="swarm-documents-", dir="/var/tmp") as scratch:
    # Where nobody's mounts hide it.
    COPY = shutil.copy(PROGRAM, os.path.join(scratch, "swarm"))
    STAND_INS = shutil.copy(os.path.join(TOP, "interop/lib/service.py"), scratch)
    # The service's user is to get at them.
    os.chmod(scratch, 0o755)
    hosts.on_a_bridge(2, os.path.join(scratch, "bridge"))
    ran = 0
    for each in chosen:
        commands = blocks(read(os.path.join(TOP, each)))
        if not commands:
            continue
        document = Document(each, os.path.join(scratch, each.replace("/", "-")))
        began = time.monotonic()
        try:
            for number, block in enumerate(commands, 1):
                ran += 1
                if not document.run(number, *block):
                    break
        finally:
            document.end()
        report.note(f"{each}: {len(commands)} blocks, {time.monotonic() - began:.1f} s")
    report.check("there are commands", ran > 10 or sys.argv[1:], ran)
report.finish()
