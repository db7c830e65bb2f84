"""Every command in every document, run as it stands: README.md and docs/, each on machines of its own that are in
one network and know nothing else.

A block of commands (```sh, ```python) has a comment before it that says who types it:

    <!-- alice -->                        on that machine, one after the other; each has to go well
    <!-- alice, goes on -->               is left running until the document's end
    <!-- bob, waits for PATH -->          when that path is there
    <!-- bob, retries -->                 again and again until it goes well
    <!-- bob, python -->                  Python, with DuckDB
    <!-- not run: WHY -->                 cannot be run here

In links, "magnet:?xs=urn:btpk:…" is the last link that somebody printed. README's program is
.build/release/swarm; the others' is `swarm`.
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
# Seconds for a block, on a machine that does a lot besides.
PATIENCE = 60
BLOCK = re.compile(r"(?:^<!-- ([^\n]*) -->\n)?^```(\w*)\n(.*?)^```$", re.M | re.S)
COMMANDS = ("sh", "python", "bash", "console")
report = Report()


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def blocks(text):
    """(directive or None, language, lines) of each block that holds commands."""
    # A fence that is not closed would swallow the next block.
    assert text.count("\n```") % 2 == 0, "a fence is not closed"
    return [found.groups() for found in BLOCK.finditer(text) if found[2] in COMMANDS]


class Person:
    """Somebody at a machine, with files of his own in /srv and /tmp."""

    def __init__(self, host, folder):
        self.host, self.running = host, []
        self.places = os.path.join(folder, host.namespace)
        for each in ("srv", "tmp"):
            os.makedirs(os.path.join(self.places, each))
        build = os.path.join(host.home, ".build/release")
        os.makedirs(build)
        os.makedirs(os.path.join(host.home, "bin"))
        os.mkdir(os.path.join(host.home, "run"), 0o700)
        for place in (build, os.path.join(host.home, "bin")):
            os.symlink(COPY, os.path.join(place, "swarm"))

    def command(self, language, text):
        inner = [PYTHON, "-c", text] if language == "python" else ["bash", "-eu", "-c", text]
        # Mounts of his own, so that paths in documents are his.
        mounts = f'mount --bind "{self.places}/srv" /srv && mount --bind "{self.places}/tmp" /tmp && exec "$@"'
        return [*self.host.prefix, "env", f"XDG_RUNTIME_DIR={self.host.home}/run", "LC_ALL=C.UTF-8",
                f"PATH={self.host.home}/bin:/usr/bin:/bin:/usr/sbin:/sbin", "unshare", "--mount", "sh", "-c",
                mounts, "sh", *inner]

    def path(self, written):
        """Where a path in a document is for this script."""
        if written.startswith("$XDG_RUNTIME_DIR/"):
            return written.replace("$XDG_RUNTIME_DIR", self.host.home + "/run")
        return self.places + written

    def begin(self, language, text):
        output = open(os.path.join(self.host.home, f"output{len(self.running)}"), "w+b")
        process = subprocess.Popen(
            self.command(language, text), cwd=self.host.home, stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT, start_new_session=True)
        self.running.append((process, output))
        return process, output

    def end(self):
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
        self.name, self.link = name, None
        os.makedirs(folder)
        self.people = {}
        for who, namespace in (("alice", "h1"), ("bob", "h2")):
            host = hosts.Host(namespace, os.path.join(folder, who), None)
            self.people[who] = Person(host, folder)

    def learn(self, output):
        found = re.findall(r"magnet:\?\S+", said(output))
        if found:
            self.link = found[-1].strip("'\"")
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
            if status == 0 or "retries" not in how or time.monotonic() > deadline:
                return report.check(f"{name}: goes well", status == 0,
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
assert blocks("<!-- alice -->\n```sh\na\n```\n\n```sh\nb\n```\n") == [
    ("alice", "sh", "a\n"), (None, "sh", "b\n")]
chosen = sys.argv[1:] or documents()
with tempfile.TemporaryDirectory(prefix="swarm-documents-", dir="/var/tmp") as scratch:
    # Where nobody's mounts hide it.
    COPY = shutil.copy(PROGRAM, os.path.join(scratch, "swarm"))
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
