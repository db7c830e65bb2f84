"""Clients that others wrote, as children of a script: each takes a torrent or a link, a folder and
an address to listen at, and says when it has everything. All of them end with `stop`."""
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
# Where Scripts/deps.sh puts the libtorrent from PyPI; outside the repository.
CACHE = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
PYTHONS = {
    "2.0.8": "/usr/bin/python3",
    "2.1.1": os.path.join(CACHE, "swarmnode/libtorrent-2.1.1/bin/python3"),
}


class Libtorrent:
    """libtorrent with what lt_peer.py takes as keywords."""

    def __init__(self, version, listen, folder, **options):
        options |= {"listen": listen, "folder": os.fsdecode(folder)}
        if "torrent" in options:
            options["torrent"] = os.fsdecode(options["torrent"])
        os.makedirs(folder, exist_ok=True)
        self.lines = []
        self.changed = threading.Condition()
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(
            [PYTHONS[version], "-W", "ignore", os.path.join(HERE, "lt_peer.py"),
             json.dumps(options)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.pid = self.process.pid
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(json.loads(line) | {"seconds": self.age()})
                self.changed.notify_all()

    def _wait(self, holds, seconds):
        deadline = time.monotonic() + seconds
        with self.changed:
            while True:
                found = next((each for each in self.lines if holds(each)), None)
                left = deadline - time.monotonic()
                if found or left <= 0 or self.process.poll() is not None:
                    return found
                self.changed.wait(min(left, 1))

    def age(self):
        return time.monotonic() - self.started_at

    def wait(self, event, seconds=60):
        """The first event of that name, or None."""
        return self._wait(lambda each: each.get("event") == event, seconds)

    def finished(self, seconds=60):
        return self._wait(lambda each: each.get("event") == "finished", seconds) is not None

    def started(self, seconds=20):
        return self._wait(lambda each: each.get("event") == "started", seconds) is not None

    def status(self, seconds=5):
        """done, up, down (bytes), peers, state; {} if it does not answer."""
        with self.changed:
            seen = sum("state" in each for each in self.lines)
        try:
            self.process.stdin.write("\n")
        except OSError:
            return {}
        deadline = time.monotonic() + seconds
        with self.changed:
            while time.monotonic() < deadline:
                answers = [each for each in self.lines if "state" in each]
                if len(answers) > seen:
                    return answers[-1]
                self.changed.wait(0.5)
        return {}

    def said(self):
        return repr(self.lines[-3:])

    def stop(self):
        """Ends it; what it had is on disk."""
        try:
            self.process.stdin.close()
            self.process.wait(10)
        except (OSError, subprocess.TimeoutExpired):
            pass
        self.kill()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Program:
    """A client that runs a program of our choice when all has come: it makes a mark."""

    def __init__(self):
        self.scratch = tempfile.mkdtemp(prefix="swarm-client-")
        self.mark = os.path.join(self.scratch, "finished")
        self.script = os.path.join(self.scratch, "finished.sh")
        with open(self.script, "w", encoding="ascii") as file:
            file.write(f"#!/bin/sh\n: > {self.mark}\n")
        os.chmod(self.script, 0o755)
        self.log = os.path.join(self.scratch, "log")
        self.process = None
        self.started_at = time.monotonic()

    def run(self, command, **keywords):
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [os.fsencode(each) for each in command], stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, **keywords)
        self.pid = self.process.pid

    def age(self):
        return time.monotonic() - self.started_at

    def finished(self, seconds=90):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if os.path.exists(self.mark):
                return True
            if self.process.poll() is not None:
                return os.path.exists(self.mark)
            time.sleep(0.02)
        return False

    def said(self):
        with open(self.log, "rb") as file:
            return repr(file.read()[-400:])

    def stop(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Aria2(Program):
    def __init__(self, torrent, folder, listen, seeding=False):
        super().__init__()
        address, port = listen.rsplit(":", 1)
        self.run(["aria2c", "--enable-dht=false", "--bt-enable-lpd=false",
                  "--file-allocation=none", "--allow-overwrite=true", "--seed-ratio=0",
                  "--enable-color=false", "--console-log-level=notice", "--summary-interval=0",
                  *(["--check-integrity=true"] if seeding else []),
                  "--interface=" + address, "--listen-port=" + port, "-d", folder,
                  "--on-bt-download-complete=" + self.script, torrent])


class Transmission(Program):
    """transmission-cli: the library of transmission-daemon, without a service."""

    def __init__(self, torrent, folder, listen, seeding=False):
        super().__init__()
        address, port = listen.rsplit(":", 1)
        with open(os.path.join(self.scratch, "settings.json"), "w", encoding="ascii") as file:
            json.dump({"bind-address-ipv4": address, "peer-port": int(port), "dht-enabled": False,
                       "lpd-enabled": False, "utp-enabled": False, "encryption": 1,
                       "port-forwarding-enabled": False, "rpc-enabled": False,
                       "incomplete-dir-enabled": False, "rename-partial-files": False,
                       "ratio-limit-enabled": False}, file)
        os.makedirs(folder, exist_ok=True)
        self.run(["transmission-cli", "-g", self.scratch, "-w", folder, "-p", port,
                  *(["-v"] if seeding else []), "-f", self.script, torrent])


class Rtorrent(Program):
    def __init__(self, torrent, folder, listen, seeding=False):
        super().__init__()
        address, port = listen.rsplit(":", 1)
        os.makedirs(folder, exist_ok=True)
        lines = [
            "system.daemon.set = true", f"network.bind_address.set = {address}",
            f"network.port_range.set = {port}-{port}", "network.port_random.set = no",
            f"directory.default.set = {os.fsdecode(folder)}", f"session.path.set = {self.scratch}",
            "dht.mode.set = disable", "protocol.pex.set = yes", "trackers.use_udp.set = no",
            "pieces.hash.on_completion.set = no",
            f'method.set_key = event.download.finished,mark,"execute2={{{self.script}}}"',
            f"load.start = {os.fsdecode(torrent)}",
        ]
        settings = os.path.join(self.scratch, "rtorrent.rc")
        with open(settings, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        self.run(["rtorrent", "-n", "-o", "import=" + settings], cwd=self.scratch)
