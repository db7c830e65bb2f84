"""What the benches of transfers share: accounts of processes by the kernel, tables of medians, and
contestants: programs that seed and fetch. Uses the interop scripts' clients."""
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../interop/lib"))
import clients
import node

TICKS = os.sysconf("SC_CLK_TCK")
PATIENCE = 120  # seconds for one transfer


def size(text):
    units = {"K": 10, "M": 20, "G": 30}
    return int(text[:-1]) << units[text[-1]] if text[-1] in units else int(text)


def cpu(pid):
    """CPU seconds of a live process, all its threads."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory(pid):
    """Peak resident memory and anonymous memory now, in MiB. Mapped files count in the first."""
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        fields = dict(line.split(":", 1) for line in file)
    return tuple(int(fields[key].split()[0]) / 1024 for key in ("VmHWM", "RssAnon"))


def describe_machine():
    model = "unknown CPU"
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    print(f"machine: {model}, {len(os.sched_getaffinity(0))} cores, Linux {platform.release()}")
    for command in (["aria2c", "-v"], ["transmission-cli", "-V"]):
        said = subprocess.run(command, capture_output=True, text=True, check=False)
        print("version:", (said.stdout + said.stderr).strip().split("\n")[0])


def say_load():
    """Figures are to be read beside what else the machine did."""
    print("load before: " + " ".join(f"{each:.1f}" for each in os.getloadavg()))


def fill(path, byte_count):
    """Bytes that no file system and no hash has a short way for."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        left = byte_count
        while left:
            left -= file.write(os.urandom(min(left, 1 << 22)))


def medium(folder):
    """"tmpfs", or "disk" for everything else."""
    said = subprocess.run(["stat", "-f", "-c", "%T", folder], capture_output=True, text=True, check=True)
    return "tmpfs" if said.stdout.strip() == "tmpfs" else "disk"


class Table:
    """Figures by case; medians, and each single one as JSON where asked for: figures.py reads them.
    `where` tells those apart that are measured in several places."""

    def __init__(self, path=None, where=""):
        self.rows = {}
        self.path, self.where = path, where
        self.bench = os.path.basename(sys.argv[0]).removesuffix("_bench.py")

    def add(self, case, **figures):
        self.rows.setdefault(case, []).append(figures)
        print(f"{case}: " + ", ".join(f"{key} {value:.2f}" for key, value in figures.items()),
              file=sys.stderr, flush=True)
        if self.path:
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(json.dumps({"bench": self.bench, "where": self.where, "case": case, **figures}) + "\n")

    def median(self, case, key):
        return statistics.median(row[key] for row in self.rows[case])

    def show(self):
        if not self.rows:
            return
        keys = list(dict.fromkeys(key for rows in self.rows.values() for key in rows[0]))
        print(f"{'median (lowest of all runs)':34}" + "".join(f"{key:>21}" for key in keys))
        for case, rows in self.rows.items():
            cells = (f"{self.median(case, key):.2f} ({min(row[key] for row in rows):.2f})"
                     if key in rows[0] else "" for key in keys)
            print(f"{case:34}" + "".join(f"{each:>21}" for each in cells))

    def compare(self, ours, rivals, by="wall s", also=()):
        """Beside the fastest of the rivals that were measured: how many times less ours takes."""
        rivals = [each for each in rivals if each in self.rows]
        if ours in self.rows and rivals:
            best = min(rivals, key=lambda each: self.median(each, by))
            ratios = (f"{key} {self.median(best, key) / max(self.median(ours, key), 1e-9):.2f}"
                      for key in (by, *also))
            print(f"{ours}: times less than {best}, the fastest: " + ", ".join(ratios))


def transfer(contestant, seed_place, leech_place, target, check=lambda: None):
    """One seed, and one leech that brings all into `target`, which is made and removed. Figures of both, from the
    start of the leech until it has all; `check` is called while both are still there."""
    os.mkdir(target)
    seed = contestant.seed(seed_place)
    leech = None
    try:
        before = cpu(seed.pid)
        leech = contestant.leech(target, leech_place, [seed_place])
        wall, start_up = contestant.finish(leech)
        cpu_leech, cpu_seed = cpu(leech.pid) - start_up, cpu(seed.pid) - before
        peaks = [memory(each.pid) for each in (leech, seed)]
        check()
        return {"wall s": wall, "CPU s": cpu_leech + cpu_seed, "leech CPU s": cpu_leech,
                "seed CPU s": cpu_seed, "leech MiB": peaks[0][0], "seed MiB": peaks[1][0],
                "leech anon MiB": peaks[0][1], "seed anon MiB": peaks[1][1]}
    finally:
        for each in (leech, seed):
            if each:
                each.kill() if hasattr(each, "kill") else each.stop()
        shutil.rmtree(target, ignore_errors=True)


class Ours:
    """Our program: a seed, and leeches that end by `with`."""

    def __init__(self, torrent, folder, scratch):
        self.torrent, self.folder, self.scratch = torrent, folder, scratch

    def _state(self):
        return tempfile.mkdtemp(dir=self.scratch)

    def seed(self, listen, *more):
        seed = node.seed(self.torrent, self._state(), listen, "--data", self.folder, *more)
        if not node.listening(seed, PATIENCE) or not node.is_whole(seed, PATIENCE):
            raise RuntimeError(f"our seed does not start: {seed.said()}")
        return seed

    def leech(self, target, listen, peers):
        return node.join(self.torrent, target, self._state(), listen, peers=peers)

    @staticmethod
    def finish(leech):
        """(seconds, CPU seconds to leave out) when it has everything."""
        found = leech.wait("finished", PATIENCE)
        if found is None:
            raise RuntimeError(f"our leech does not finish: {leech.said()}")
        return found["seconds"], 0

    @staticmethod
    def sent(seed):
        return node.uploaded(seed.fresh_status()) or 0


class Theirs:
    """A libtorrent, TCP without encryption only. Its time begins when Python has started."""

    def __init__(self, version, torrent, folder):
        self.version, self.torrent, self.folder = version, torrent, folder

    def seed(self, listen):
        seed = clients.Libtorrent(self.version, listen, self.folder, torrent=self.torrent,
                                  seed_mode=True, plain=True)
        if not seed.started():
            raise RuntimeError("libtorrent does not start")
        return seed

    def leech(self, target, listen, peers):
        return clients.Libtorrent(self.version, listen, target, torrent=self.torrent, peers=peers,
                                  plain=True)

    @staticmethod
    def finish(leech):
        found = leech.wait("verified", PATIENCE)
        if found is None:
            raise RuntimeError(f"libtorrent does not finish: {leech.said()}")
        ready = leech.wait("ready")
        return found["seconds"] - ready["seconds"], ready["cpu"]

    @staticmethod
    def sent(seed):
        # Its counters are a second behind.
        time.sleep(1.2)
        return seed.status().get("up", 0)


class Marked:
    """aria2 or transmission; a tracker tells the leech of the others."""

    def __init__(self, client, torrent, folder, tracker):
        self.client, self.torrent, self.folder = client, torrent, folder
        self.tracker = tracker

    def seed(self, listen):
        self.tracker.peers = []
        seed = self.client(self.torrent, self.folder, listen, seeding=True)
        seed.finished(5)  # it checks what it has, and not all of them say when they have
        return seed

    def leech(self, target, listen, peers):
        self.tracker.peers = list(peers)
        return self.client(self.torrent, target, listen)

    @staticmethod
    def finish(leech):
        if not leech.finished(PATIENCE):
            raise RuntimeError(f"it does not finish: {leech.said()}")
        return leech.age(), 0

    @staticmethod
    def sent(_):
        return 0


class Pipe:
    """pipe.c, compiled."""

    def __init__(self, scratch, path):
        self.program = os.path.join(scratch, "pipe")
        self.path = path
        subprocess.run(["cc", "-O2", "-o", self.program, os.path.join(HERE, "pipe.c"), "-lcrypto"],
                       check=True)

    def seed(self, listen):
        return PipeEnd([self.program, "send", self.path, *listen.split(":")], "started")

    def leech(self, target, _, peers):
        name = os.path.join(target, os.path.basename(self.path))
        return PipeEnd([self.program, "receive", name, *peers[0].split(":")])

    @staticmethod
    def finish(leech):
        return leech.finished(), 0


class PipeEnd:
    def __init__(self, command, first=None):
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid
        if first and self.process.stdout.readline().strip() != first:
            raise RuntimeError("the pipe does not start")

    def finished(self):
        if self.process.stdout.readline().strip() != "finished":
            raise RuntimeError("the pipe broke")
        return time.monotonic() - self.started_at

    def kill(self):
        self.process.kill()
        self.process.wait()

    stop = kill
