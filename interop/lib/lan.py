"""A network of several hosts on one bridge, and what runs on them: our local discovery (swarm-lan),
avahi, captures. Call isolated() before."""
import json
import os
import subprocess
import threading
import time

from clients import CACHE
from swarm import PROGRAM

OURS = os.path.join(os.path.dirname(PROGRAM), "swarm-lan")
# Where Scripts/deps.sh puts python zeroconf; outside the repository.
ZEROCONF_PYTHON = os.path.join(CACHE, "swarmnode/zeroconf-0.154.0/bin/python3")
BRIDGE = "lan0"


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


def address(host):
    return f"10.77.0.{host}"


def make(hosts):
    """Hosts 1 to `hosts`, each in a network namespace of its own, with one interface each."""
    os.makedirs("/run/netns", exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run/netns"], check=True)
    ip("link", "add", BRIDGE, "type", "bridge", "mcast_snooping", "0")
    ip("link", "set", BRIDGE, "up")
    for host in range(1, hosts + 1):
        ip("netns", "add", f"h{host}")
        ip("link", "add", f"v{host}", "type", "veth", "peer", "name", "eth0", "netns", f"h{host}")
        ip("link", "set", f"v{host}", "master", BRIDGE, "up")
        ip("-n", f"h{host}", "link", "set", "lo", "up")
        ip("-n", f"h{host}", "addr", "add", address(host) + "/24", "dev", "eth0")
        ip("-n", f"h{host}", "link", "set", "eth0", "up")
    # IPv6 looks for two seconds whether somebody has its addresses.
    time.sleep(2.2)


def on(host):
    """What stands before a command to run it on a host."""
    return ["nsenter", f"--net=/run/netns/h{host}"]


class Program:
    """A program on a host whose lines are collected; killed at the end of a `with`."""

    def __init__(self, command, env=None):
        self.lines = []
        self.errors = []
        self.changed = threading.Condition()
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, bufsize=1, env=os.environ | (env or {}))
        for stream, lines in ((self.process.stdout, self.lines), (self.process.stderr, self.errors)):
            threading.Thread(target=self._read, args=(stream, lines), daemon=True).start()

    def _read(self, stream, lines):
        for line in stream:
            with self.changed:
                lines.append(line.rstrip("\n"))
                self.changed.notify_all()

    def wait(self, holds, seconds=10):
        """The first line for which `holds`; None if it does not come."""
        deadline = time.monotonic() + seconds
        with self.changed:
            while True:
                found = next((each for each in self.lines + self.errors if holds(each)), None)
                left = deadline - time.monotonic()
                if found is not None or left <= 0:
                    return found
                self.changed.wait(left)

    def said(self):
        with self.changed:
            return repr((self.lines[-8:], self.errors[-4:]))

    def stop(self):
        """Asks it to end; whether it did so well."""
        self.process.terminate()
        try:
            return self.process.wait(5) == 0
        except subprocess.TimeoutExpired:
            self.process.kill()
            return False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Ours(Program):
    """Our local discovery on a host."""

    def __init__(self, host, peer_id, port, *infohashes, kinds="mdns,lsd"):
        super().__init__([*on(host), OURS, peer_id, str(port), *infohashes],
                         env={"LAN_KINDS": kinds})

    def finds(self, infohash, peer, seconds=10):
        """Whether it tells of that place for that torrent."""
        wanted = {"event": "peer", "infohash": infohash, "peer": peer}
        return self.wait(lambda line: line[:1] == "{" and json.loads(line) == wanted, seconds)


class Capture:
    """All packets on the bridge, or on another interface, while a `with` lasts. `prefix` stands before
    a command to run it where the interface is; `more` is for tshark."""

    def __init__(self, path, interface=BRIDGE, prefix=(), more=()):
        self.path, self.interface, self.prefix, self.more = path, interface, prefix, more

    def __enter__(self):
        self.process = subprocess.Popen(
            [*self.prefix, "dumpcap", "-q", "-i", self.interface, "-w", self.path],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if line.startswith("File:"):
                break
        return self

    def __exit__(self, *_):
        time.sleep(0.3)
        self.process.terminate()
        self.process.communicate()

    def read(self, picked, *fields):
        """The fields of packets that a display filter picks, a list for each."""
        command = ["tshark", "-r", self.path, "-n", *self.more, "-Y", picked, "-T",
                   "fields", "-E", "separator=/t"]
        for each in fields:
            command += ["-e", each]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        return [line.split("\t") for line in result.stdout.splitlines()]
