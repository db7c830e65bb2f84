"""`swarm seed` and `swarm join` as children of a script: the one place that knows their options and
the names in their JSON lines."""
import json
import os
import signal
import subprocess
import threading
import time

from swarm import PROGRAM

# How a clean stop by a signal ends: 0 where all that was asked for is here, else with its number.
STOPPED = (0, 128 + signal.SIGINT, 128 + signal.SIGTERM)


class Node:
    """One running node. Its events are collected; it is killed at the end of a `with`."""

    def __init__(self, command, *arguments, cwd=None, prefix=()):
        self.events = []
        self.odd_lines = []
        self.changed = threading.Condition()
        self.ended = False
        self.errors = []
        words = [*prefix, PROGRAM, command, *arguments, "--json"]
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(
            [each if isinstance(each, bytes) else os.fsencode(str(each)) for each in words],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=cwd)
        self.pid = self.process.pid
        self.readers = [threading.Thread(target=self._read_events, daemon=True),
                        threading.Thread(target=self._read_errors, daemon=True)]
        for each in self.readers:
            each.start()

    def _read_events(self):
        for line in self.process.stdout:
            with self.changed:
                try:
                    self.events.append(json.loads(line) | {"seconds": self.age()})
                except ValueError:
                    self.odd_lines.append(line)
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def _read_errors(self):
        for line in self.process.stderr:
            with self.changed:
                self.errors.append(line.decode(errors="replace"))
                self.changed.notify_all()

    def age(self):
        return time.monotonic() - self.started_at

    def wait(self, event, seconds=60, where=lambda _: True):
        """The first event of that name for which `where` holds; None if it does not come or the
        program ends first."""
        deadline = time.monotonic() + seconds
        seen = 0
        with self.changed:
            while True:
                for each in self.events[seen:]:
                    if each.get("event") == event and where(each):
                        return each
                seen = len(self.events)
                left = deadline - time.monotonic()
                if left <= 0 or self.ended:
                    return None
                self.changed.wait(left)

    def wait_for_log(self, *words, seconds=30):
        """Whether a line with one of `words` in it comes on standard error or in an event."""
        deadline = time.monotonic() + seconds
        with self.changed:
            while True:
                if self.has_said(*words):
                    return True
                left = deadline - time.monotonic()
                if left <= 0 or self.ended:
                    return self.has_said(*words)
                self.changed.wait(left)

    def has_said(self, *words):
        lines = self.errors + [json.dumps(each) for each in self.events]
        return any(word.lower() in line.lower() for line in lines for word in words)

    def status(self):
        """The newest status line, or {}."""
        with self.changed:
            return next((each for each in reversed(self.events)
                         if each.get("event") == "status"), {})

    def fresh_status(self, seconds=10):
        """The next status line from now, or {}."""
        with self.changed:
            seen = len(self.events)
        now = self.age()
        return self.wait("status", seconds, lambda each: each["seconds"] > now) or (
            self.status() if len(self.events) > seen else {})

    def is_alive(self):
        return self.process.poll() is None

    def stop(self, by=signal.SIGINT, seconds=20):
        """Asks it to end. Its status; None when it had to be killed."""
        if self.is_alive():
            self.process.send_signal(by)
        return self.end(seconds)

    def end(self, seconds=20):
        """Waits for its end. Its status; None when it had to be killed."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            status = None
        for each in self.readers:
            each.join(5)
        return status

    def kill(self):
        self.process.kill()
        self.end()

    def said(self):
        """The last lines, for a report."""
        return repr("".join(self.errors)[-400:]) + " " + repr(self.events[-2:])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.is_alive():
            self.kill()


def seed(what, state, listen, *more, **keywords):
    """`swarm seed`; `what` is a path or a .torrent."""
    return Node("seed", what, "--listen", listen, "--state", state, *more, **keywords)


def join(what, folder, state, listen, *more, peers=(), **keywords):
    """`swarm join`; `what` is a link or a .torrent."""
    named = [word for each in peers for word in ("--peer", each)]
    return Node("join", what, folder, "--listen", listen, "--state", state, *named, *more,
                **keywords)


def finished(node, seconds=60):
    """Whether all that was asked for has come."""
    return node.wait("finished", seconds) is not None


def listening(node, seconds=60):
    """Whether it runs: all that was to be hashed or read first is."""
    return node.wait("started", seconds) is not None


def link(started):
    """What a person passes on, by the event "started"."""
    return started.get("magnet")


def is_whole(node, seconds=60):
    """Whether a seed knows that it has everything: what was to be checked is checked."""
    return node.wait("status", seconds, lambda each: each.get("finished")) is not None


def downloaded(status):
    """Payload that came in this run, in bytes, by a status line; None if it does not say."""
    return status.get("downloaded")


def uploaded(status):
    """Payload that went out in this run, in bytes, by a status line; None if it does not say."""
    return status.get("uploaded")


def done(status):
    """Wanted bytes that are verified and here, by a status line; 0 if it does not say."""
    return status.get("done") or 0
