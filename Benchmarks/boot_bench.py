"""Debian boots under QEMU (no KVM) from a disk that is elsewhere: seconds until it is at its prompt and
until a python3 program has run, from the start of the program that offers the disk or fetches it, and how
much the seed has sent, headers and all, in percent of the disk. All have kernel and initrd in files, but
"swarm boot", which fetches them, too. The others know the seed, a libtorrent, from a tracker; their
torrent is v1, of the same small pieces. In a network of its own: root, and the network for Debian's
packages. Asserts nothing.
"""
import argparse
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../interop/lib"))
import isolate
import machine

if os.environ.get(isolate.MARK) != "inside" and os.geteuid() == 0:
    machine.image()
isolate.isolated()
import boots
import clients
import disks
import measure
import wan
from packets import Packets

FILE = "file.driver=file,file.filename="


class Bench:
    """The cases: each takes nothing and returns (seconds to the prompt, to the end of python3)."""

    def __init__(self, net, scratch, published):
        self.net, self.scratch, self.published = net, scratch, published
        self.image, self.disk = published.image, published.disk
        self.torrents = disks.torrents(self.image, scratch, disks.tracker(net))

    def run(self, case, kind):
        """With a fresh seed: ours, of the dataset ("swarm"), a libtorrent, of a torrent ("v1", "v2"), or
        none."""
        if kind is None:
            return self.figures(case(), 0)
        seed = (self.published.seed(self.net) if kind == "swarm"
                else disks.seed(self.net, "2.0.8", self.torrents[kind], os.path.dirname(self.image),
                                self.scratch))
        try:
            with self.net.on(1):
                Packets([self.net.address(1)])
            found = case()
            with self.net.on(1):
                return self.figures(found, Packets.of(self.net.address(1))["sent bytes"])
        finally:
            with self.net.on(1):
                Packets.end()
            seed.kill()

    def figures(self, found, sent):
        return {"prompt s": found[0], "python3 s": found[1],
                "sent %": 100 * sent / os.path.getsize(self.disk)}

    def local(self):
        with machine.qemu_on(self.image, FILE + self.disk, boots.DO) as guest:
            return boots.ran(guest, guest.started_at)

    def on(self, disk):
        with disk, machine.qemu(self.image, disk.wait().socket, boots.DO, disk.export) as guest:
            return boots.ran(guest, disk.started_at)

    def ours(self, *more, what=None):
        disk = disks.Ours(self.net, what or self.published.link, self.scratch, *more)
        disk.export = boots.DISK
        return self.on(disk)

    def rival(self, make):
        return self.on(make(self.net, self.torrents["v1"], self.scratch,
                            os.path.join("image", boots.DISK)))

    def command(self, what):
        folder = tempfile.mkdtemp(dir=self.scratch)
        with self.net.on(2), machine.Boot(
                folder, what, *disks.ALONE, "--listen", disks.endpoint(self.net, 2), "--state",
                os.path.join(folder, "state"), "--accel", "tcg", "--append", boots.DO, "--peer",
                disks.endpoint(self.net, 1)) as guest:
            return boots.ran(guest, guest.started_at)

    def download(self):
        """All of it by libtorrent, then from there."""
        folder = tempfile.mkdtemp(dir=self.scratch)
        with self.net.on(2):
            leech = clients.Libtorrent("2.0.8", disks.endpoint(self.net, 2), folder,
                                       torrent=self.torrents["v1"], peers=[disks.endpoint(self.net, 1)])
        with leech:
            if not leech.finished(boots.PATIENCE):
                raise RuntimeError(f"libtorrent does not finish: {leech.said()}")
            path = os.path.join(folder, "image", boots.DISK)
            with machine.qemu_on(self.image, FILE + path, boots.DO) as guest:
                return boots.ran(guest, leech.started_at)

    def cases(self):
        """Each with its seed."""
        found = {
            "local file": (self.local, None),
            "swarm": (lambda: self.ours("--no-trace"), "swarm"),
            "swarm, trace": (self.ours, "swarm"),
            "swarm from libtorrent": (lambda: self.ours(what=self.torrents["v2"]), "v2"),
            "swarm boot": (lambda: self.command(self.torrents["v2"]), "v2"),
            "swarm boot, trace": (lambda: self.command(self.published.link), "swarm"),
        }
        for each in disks.rivals():
            found[each.title] = (lambda each=each: self.rival(each), "v1")
        found["full download"] = (self.download, "v1")
        return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="rounds; 3 without")
    parser.add_argument("--size", help="nothing here; the other benches know it")
    parser.add_argument("--rtt", type=int, default=40, help="milliseconds there and back; 40 without")
    parser.add_argument("--rate", type=int, default=100, help="Mbit/s of each line; 100 without")
    parser.add_argument("--only", help="words of the cases wanted")
    parser.add_argument("--folder", default="/dev/shm", help="a tmpfs without")
    parser.add_argument("--json", help="a file for every single figure, one object a line")
    options = parser.parse_args()
    measure.describe_machine()
    measure.say_load()
    table = measure.Table(options.json)
    with tempfile.TemporaryDirectory(prefix="swarm-boots-", dir=options.folder) as scratch:
        os.environ["TMPDIR"] = scratch
        os.environ.pop("XDG_RUNTIME_DIR", None)
        with wan.Network(2, 0, 0, scratch) as near:
            published = boots.Published(near, scratch)
        with wan.Network(2, options.rtt, options.rate, scratch) as net:
            bench = Bench(net, scratch, published)
            cases = {name: each for name, each in bench.cases().items() if not options.only
                     or any(word in name for word in options.only.split(","))}
            for _ in range(options.runs):
                for name, (case, kind) in cases.items():
                    try:
                        table.add(name, **bench.run(case, kind))
                    except (RuntimeError, OSError) as error:
                        print(f"{name}: FAILED: {error}", file=sys.stderr)
            print(f"\nDebian of {os.path.getsize(published.disk) >> 20} MiB, which reads "
                  f"{published.bytes_read / 2**20:.1f}, {net.title}, {options.runs} rounds")
            table.show()
    for name in table.rows:
        if name.startswith("swarm") and "local file" in table.rows:
            ratios = (f"{key[:-2]} {table.median(name, key) / table.median('local file', key):.2f}"
                      for key in ("prompt s", "python3 s"))
            print(f"{name}: times as long as from the local file: " + ", ".join(ratios))


main()
