"""What offers the content of a torrent as a block device, ours and others': on host 2 of a network, from a
seed on host 1 (wan.py)."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../interop/lib"))
import clients
import measure
import node
import swarm
from tracker import Tracker

ALONE = ("--no-dht", "--no-lan", "--no-mapping")
PORT = 6901
PATIENCE = 60  # seconds until something must be there


def endpoint(net, host):
    return f"{net.address(host)}:{PORT}"


def tracker(net):
    """Tells everybody of the seed: the others know of no peers otherwise."""
    with net.on(1):
        return Tracker(net.address(1), PORT - 1, [endpoint(net, 1)])


def torrents(path, scratch, of):
    """Torrents of a path, v2 for ours and v1 for others, which name that tracker: btfs 2.24 is at times
    ended by those of v2."""
    found = {}
    for kind in ("v1", "v2"):
        found[kind] = os.path.join(scratch, kind + ".torrent")
        swarm.create(path, found[kind], kind, "64K", "--tracker", of.url)
    return found


def seed(net, kind, torrent, folder, scratch, *more):
    """A seed of ours ("swarm") or a libtorrent of that version, a stock one, that has begun."""
    with net.on(1):
        if kind == "swarm":
            return measure.Ours(torrent, folder, scratch).seed(endpoint(net, 1), *ALONE, *more)
        found = clients.Libtorrent(kind, endpoint(net, 1), folder, torrent=torrent, seed_mode=True)
        if not found.started():
            raise RuntimeError("libtorrent does not start")
        return found




class Disk:
    """A block device at `socket`, as `export`, that has nothing yet. Its programs end with a `with`."""

    def __init__(self, net, scratch, host=2):
        self.net, self.host = net, host
        self.folder = tempfile.mkdtemp(dir=scratch)
        self.socket = os.path.join(self.folder, "nbd")
        self.export = ""
        self.started_at = time.monotonic()
        self.running = []

    def run(self, *command):
        with self.net.on(self.host), open(os.path.join(self.folder, "log"), "ab") as log:
            self.running.append(subprocess.Popen(command, stdout=log, stderr=log))

    def cpu(self):
        return sum(measure.cpu(each.pid) for each in self.running)

    def wait_for(self, path):
        end = time.monotonic() + PATIENCE
        while not os.path.exists(path):
            if time.monotonic() > end or any(each.poll() is not None for each in self.running):
                raise RuntimeError(f"{path} does not come: {self.said()}")
            time.sleep(0.005)

    def wait(self):
        """Until somebody can connect."""
        self.wait_for(self.socket)
        return self

    def said(self):
        try:
            with open(os.path.join(self.folder, "log"), "rb") as log:
                return repr(log.read()[-300:])
        except FileNotFoundError:
            return "nothing"

    def __enter__(self):
        return self

    def end(self):
        """Ends its programs."""
        for each in reversed(self.running):
            each.kill()
            each.wait()
        self.running = []

    def __exit__(self, *_):
        self.end()
        shutil.rmtree(self.folder, ignore_errors=True)


class Ours(Disk):
    """`swarm join --nbd`, sparse unless it is to fetch everything; `what` is a torrent or a link."""

    title = "swarm"

    def __init__(self, net, what, scratch, *more, host=2, peers=(1,), is_sparse=True):
        super().__init__(net, scratch, host)
        with net.on(host):
            self.node = node.join(
                what, os.path.join(self.folder, "out"), os.path.join(self.folder, "state"),
                endpoint(net, host), *ALONE, *(["--sparse"] if is_sparse else []), "--nbd", self.socket, *more,
                peers=[endpoint(net, each) for each in peers])
        self.started_at = self.node.started_at
        self.running.append(self.node.process)


class NbdkitTorrent(Disk):
    """nbdkit with its torrent plugin, on libtorrent."""

    title = "nbdkit torrent"
    needs = ("nbdkit",)

    def __init__(self, net, torrent, scratch, path=None):
        super().__init__(net, scratch)
        os.mkdir(os.path.join(self.folder, "cache"))
        self.run("nbdkit", "-f", "-r", "-U", self.socket, "torrent", torrent,
                 "cache=" + os.path.join(self.folder, "cache"), *([f"file={path}"] if path else []))


class Btfs(Disk):
    """btfs, a FUSE file system on libtorrent, and nbdkit, which reads its file when asked to."""

    title = "btfs"
    needs = ("btfs", "nbdkit")
    # It ends when somebody looks into it before it has read the torrent.
    attempts = 3
    rest = 0.2  # seconds

    def __init__(self, net, torrent, scratch, path=None):
        super().__init__(net, scratch)
        self.mounted = os.path.join(self.folder, "files")
        os.mkdir(self.mounted)
        cache = os.path.join(self.folder, "cache")
        os.mkdir(cache)
        file = os.path.join(self.mounted, path)
        try:
            for left in reversed(range(self.attempts)):
                self.started_at = time.monotonic()
                self.run("btfs", "-f", "--data-directory=" + cache, torrent, self.mounted)
                time.sleep(self.rest)
                try:
                    self.wait_for(file)
                    break
                except RuntimeError:
                    if left == 0:
                        raise
                    self.end()
            self.run("nbdkit", "-f", "-r", "-U", self.socket, "file", file, "fadvise=random")
        except BaseException:
            self.__exit__()
            raise

    def end(self):
        subprocess.run(["umount", "-l", self.mounted], stderr=subprocess.DEVNULL, check=False)
        super().end()


def rivals():
    """Those of the others that are installed; says loudly which are not."""
    found = []
    for each in (NbdkitTorrent, Btfs):
        missing = [name for name in each.needs if not shutil.which(name)]
        if missing:
            print(f"SKIPPED: {each.title}: no {', '.join(missing)} here (apt-get install "
                  f"{' '.join(missing)})", flush=True)
        else:
            found.append(each)
    return found


def read(disk, what, *words, seconds=120):
    """What nbd_client.py says when it has read."""
    return finish(reader(disk, what, *words), seconds)


def reader(disk, what, *words):
    """nbd_client.py, begun."""
    return subprocess.Popen(
        ["/usr/bin/python3", "-B", os.path.join(HERE, "nbd_client.py"), what, disk.socket, disk.export,
         *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process, seconds=120):
    try:
        said, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise RuntimeError(f"its reads do not end in {seconds} s") from None
    if process.returncode:
        raise RuntimeError(f"its reads fail: {errors[-300:]}")
    return json.loads(said)


def quantile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
