"""A private DHT of libtorrents in three processes, and nodes of ours and libtorrent's that take part in
it, for benches. Call isolated() before."""
import json
import os
import subprocess
import sys
import time

import clients

HERE = os.path.dirname(os.path.abspath(__file__))
BENCH = os.environ.get("SWARM_BENCH") or os.path.join(HERE, "../.build/release/swarm-bench")
NODES, GROUPS = 30, 3
# The nodes of each network have addresses of their own: what died at one is not met at the next.
_networks = 0


class Child:
    """A process that answers lines with lines."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, bufsize=1)
        self.pid = self.process.pid

    def ready(self):
        self.answer()
        return self

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("a node of the DHT has ended")
        return json.loads(line)

    def kill(self):
        self.process.kill()
        self.process.wait()


class Libtorrent(Child):
    """libtorrents of one version, at several places."""

    def __init__(self, version, bootstrap, *listen):
        super().__init__([clients.PYTHONS[version], "-W", "ignore", os.path.join(HERE, "lt_dht.py"),
                          bootstrap or "-", *listen])

    def do(self, what, **more):
        self.process.stdin.write(json.dumps({"do": what, **more}) + "\n")
        return self.answer()

    def put(self):
        return self.do("put")

    def get(self, key):
        return self.do("get", key=key)


class Ours(Child):
    """Our node of the DHT, without anything else around it."""

    def __init__(self, bootstrap, listen):
        super().__init__([BENCH, "dht", listen, bootstrap])

    def do(self, words):
        self.process.stdin.write(words + "\n")
        return self.answer()

    def put(self):
        return self.do("put")

    def get(self, key):
        return self.do("get " + key)


class Network:
    """30 libtorrents that know one another; all that takes part dies at the end of a `with`."""

    def __init__(self):
        global _networks
        _networks += 1
        self.prefix = f"10.98.{_networks}."
        batch = "".join(f"addr add {self.prefix}{n}/32 dev lo\n" for n in range(1, 120))
        subprocess.run(["ip", "-batch", "-"], input=batch, text=True, check=True)
        self.used = 0
        self.bootstrap = self.place()
        self.others = []
        each = NODES // GROUPS
        first = [self.bootstrap] + [self.place() for _ in range(each - 1)]
        self.groups = [Libtorrent("2.0.8", None, *first[:1]).ready()]
        # The first node is alone in its process, and never leaves.
        places = first[1:] + [self.place() for _ in range(NODES - each)]
        for start in (0, each - 1, 2 * each - 1):
            end = start + each - (start == 0)
            self.groups.append(Libtorrent("2.0.8", self.bootstrap, *places[start:end]))
        for group in self.groups[1:]:
            group.ready()
        self.places = [self.bootstrap] + places
        for group in self.groups:
            group.do("know", places=self.places)

    def place(self):
        """A place that nobody has had."""
        self.used += 1
        return f"{self.prefix}{self.used}:6881"

    def libtorrent(self, version):
        self.others.append(Libtorrent(version, self.bootstrap, self.place()))
        return self.others[-1]

    def ours(self):
        self.others.append(Ours(self.bootstrap, self.place()))
        return self.others[-1]

    def settle(self, seconds=20):
        """Waits until everybody knows most of the others, and then until the noise of that is over."""
        for each in self.others:
            each.ready()
            if isinstance(each, Libtorrent):
                each.do("know", places=self.places)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            counts = [each.do("nodes")["count"] for each in self.groups + self.others]
            if min(counts) >= NODES // 3:
                break
            time.sleep(0.25)
        else:
            print(f"the DHT does not form well: {counts}", file=sys.stderr)
        time.sleep(2)

    def ten_leave(self):
        """A third of the nodes end without a word."""
        self.groups.pop().kill()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for each in self.groups + self.others:
            each.kill()
        batch = "".join(f"addr del {self.prefix}{n}/32 dev lo\n" for n in range(1, 120))
        subprocess.run(["ip", "-batch", "-"], input=batch, text=True, check=True)
