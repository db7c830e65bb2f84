"""Debian boots from swarms: of ours and libtorrent's, with seeds, a node and a daemon killed in the middle,
with a peer that lies, and from a v1 torrent. A login on two hosts that know nothing of each other, and
what goes wrong before a machine runs.

boot.py [PART…]: all of it, or these parts, such as two_hosts. Makes the machine (vm/machine.sh) the first
time, which takes minutes, the network and root.
"""
import json
import os
import signal
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import machine

machine.isolated()
import hosts
import lt
import node
import swarm
from clients import Libtorrent
from corrupt_peer import CorruptPeer
from report import Report

report = Report()
MIB = 1 << 20
ALONE = ("--no-dht", "--no-lan", "--no-mapping")
OURS, THEIRS, NEWER, LIAR, BOOT = (f"10.99.0.{number}:6901" for number in range(1, 6))
IMAGE = machine.image()
DISK = os.path.join(IMAGE, "root.ext4")
SIZE = os.path.getsize(DISK)
# Of the image, at the most, to the end of a python3 program.
MOST = 0.15


class Seeds:
    """Seeds of one torrent, by their addresses."""

    def __init__(self, torrent, *which, plain=False):
        self.running = {}
        for each in which:
            if each == OURS:
                state = tempfile.mkdtemp(dir=scratch)
                self.running[each] = node.seed(torrent, state, each, *ALONE, "--data",
                                               os.path.dirname(IMAGE))
                node.listening(self.running[each])
            else:
                self.running[each] = Libtorrent(
                    "2.1.1" if each == NEWER else "2.0.8", each, os.path.dirname(IMAGE),
                    torrent=torrent, seed_mode=True, plain=plain)
                self.running[each].started()

    def peers(self):
        return [word for each in self.running for word in ("--peer", each)]

    def kill(self, *which):
        for each in which:
            self.running[each].kill()

    def uploads(self):
        """Bytes that each gave, of those that still run."""
        return {each: (node.uploaded(one.fresh_status()) if each == OURS
                       else one.status().get("up", 0)) for each, one in self.running.items()}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for each in self.running.values():
            each.__exit__()


def boot(torrent, do, *more):
    folder = tempfile.mkdtemp(dir=scratch)
    return machine.Boot(folder, torrent, *ALONE, "--listen", BOOT, "--state",
                        os.path.join(folder, "state"), "--accel", "tcg", "--append",
                        f"swarm.do={do}", *more)


def ran(name, guest, seconds=150):
    """The guest did what it was to do: its prompt, python3, and a clean end."""
    prompt = guest.wait(b"PROMPT at", seconds)
    report.check(f"{name}: prompt", prompt, guest.said())
    report.check(f"{name}: python3", guest.wait(b'{"answer": 42}', seconds), guest.said())
    return prompt


def ended(name, guest, seconds=60):
    """The end of `swarm boot`: what it cost."""
    report.equal(f"{name}: status", guest.end(seconds), 0)
    booted = guest.event("booted")
    report.check(f"{name}: says what it cost", booted.get("reads") and booted.get("first_read_after")
                 and b"of root.ext4" in guest.text, f"{booted}, {guest.said()}")
    return booted


def has_right_disk(name, guest, seconds=240):
    report.check(f"{name}: reads all of its disk", guest.wait(b"CHECKSUM at", seconds), guest.said())
    report.equal(f"{name}: checksum of it", guest.word_after("CHECKSUM"), checksum)


def is_kept(name, guest):
    """What is kept of the image is the image."""
    path = os.path.join(guest.event("stopped").get("path") or "/", "root.ext4")
    report.equal(f"{name}: what is kept", os.path.exists(path) and machine.md5(path), checksum)


def is_little(name, booted):
    share = booted.get("here", SIZE) / SIZE
    report.check(f"{name}: at most {MOST:.0%} of the image", 0 < share <= MOST
                 and booted.get("downloaded", SIZE) < MOST * SIZE + start_bytes, f"{booted}")
    return share


def plain(name, torrent, *which):
    """(a) and (e): prompt, python3, little fetched; the second boot fetches nothing."""
    with Seeds(torrent, *which) as seeds, boot(torrent, "python", *seeds.peers()) as guest:
        prompt = ran(name, guest)
        booted = ended(name, guest)
        share = is_little(name, booted)
        report.note(f"{name}: prompt after {prompt or 0:.1f} s, {share:.1%} of the image, "
                    f"{booted.get('downloaded', 0) / MIB:.1f} MiB in all, first read after "
                    f"{booted.get('first_read_after')} ms, {booted.get('stalls')} stalls; "
                    f"from {seeds.uploads()}")
        report.check(f"{name}: every seed gave", all(seeds.uploads().values()) or len(which) > 1
                     and sum(seeds.uploads().values()) > 0, f"{seeds.uploads()}")


def seeds_killed(torrent):
    name = "two of three seeds killed"
    with Seeds(torrent, OURS, THEIRS, NEWER) as seeds, \
            boot(torrent, "checksum", *seeds.peers()) as guest:
        status = guest.wait_for(lambda each: each["done"] > 100 * MIB, 200)
        report.check(f"{name}: in the middle", 0 < status.get("done", 0) < 0.9 * SIZE, f"{status}")
        seeds.kill(OURS, NEWER)
        has_right_disk(name, guest)
        booted = ended(name, guest)
        is_kept(name, guest)
        report.note(f"{name}: {booted.get('stalls')} stalls, the longest wait "
                    f"{booted.get('longest_wait')} ms, {booted.get('ran', 0) / 1000:.0f} s")


def liar(torrent):
    name = "one of three lies"
    host, port = LIAR.split(":")
    lying = CorruptPeer(torrent, os.path.dirname(IMAGE), (host, int(port)))
    with Seeds(torrent, OURS, THEIRS) as seeds, \
            boot(torrent, "checksum", "--peer", LIAR, *seeds.peers()) as guest:
        has_right_disk(name, guest)
        booted = ended(name, guest)
        is_kept(name, guest)
        report.check(f"{name}: it was asked", lying.sent > 0)
        report.check(f"{name}: it is banned",
                     any(each["state"] == "banned" and each["address"] == LIAR
                         for each in guest.events("peer")), f"{guest.events('peer')}")
        report.note(f"{name}: {lying.sent} wrong blocks, {booted.get('stalls')} stalls, the longest "
                    f"wait {booted.get('longest_wait')} ms")


def node_killed(torrent):
    """QEMU stays, and finds the node again."""
    name = "node killed"
    folder = tempfile.mkdtemp(dir=scratch)
    socket = os.path.join(folder, "nbd")

    def join(seeds):
        started = node.join(torrent, os.path.join(folder, "out"), os.path.join(folder, "state"),
                            BOOT, *ALONE, "--nbd", socket, "--sparse", *seeds.peers())
        started.wait("exported", 60)
        return started

    with Seeds(torrent, OURS, THEIRS) as seeds:
        first = join(seeds)
        with machine.qemu(IMAGE, socket, "swarm.do=checksum") as guest:
            ran(name, guest)
            half = first.wait("status", 200, lambda each: each["done"] > 100 * MIB) or {}
            first.kill()
            report.check(f"{name}: in the middle", 0 < half.get("done", 0) < 0.9 * SIZE
                         and b"CHECKSUM" not in guest.text, f"{half}")
            time.sleep(3)
            with join(seeds) as second:
                has_right_disk(name, guest)
                report.equal(f"{name}: QEMU's status", guest.end(60), 0)
                came = node.downloaded(second.fresh_status())
                report.check(f"{name}: what was here is not fetched again",
                             came < SIZE - half.get("done", 0) + 32 * MIB, f"{came}, {half}")
                report.note(f"{name}: killed with {half.get('done', 0) / MIB:.0f} MiB here, then "
                            f"{came / MIB:.0f} MiB came")


class Daemon(node.Node):
    """A daemon of which the machine knows nothing but the socket."""

    def __init__(self, folder):
        self.where = ("--state", os.path.join(folder, "state"), "--sockets", os.path.join(folder, "sockets"))
        super().__init__("daemon", *ALONE, *self.where, "--listen", BOOT)
        self.wait("started", 30)

    def run(self, *words):
        return swarm.run(*words, *self.where)

    def here(self, dataset):
        """Bytes of it that are here, and those that came."""
        transfer = json.loads(self.run("status", dataset, "--json").stdout)["transfer"] or {}
        return transfer.get("done", 0), transfer.get("downloaded", 0)


def daemon_killed(torrent):
    """`kill -9` of the daemon in the middle, and its restart: QEMU stays, and finds the export again."""
    name = "daemon killed"
    folder = tempfile.mkdtemp(dir=scratch)
    with Seeds(torrent, OURS, THEIRS) as seeds, Daemon(folder) as first:
        added = first.run("add", torrent, "--sparse", *seeds.peers(), "--json")
        report.equal(f"{name}: add", added.returncode, 0)
        dataset = json.loads(added.stdout)["id"]
        exported = first.run("export", dataset, "root.ext4", "--name", "root.ext4")
        socket = os.path.join(folder, "sockets", "nbd.sock")
        report.check(f"{name}: export", exported.stdout.startswith(b"nbd+unix:///root.ext4?"), exported)
        with machine.qemu(IMAGE, socket, "swarm.do=checksum") as guest:
            ran(name, guest)
            deadline = time.monotonic() + 200
            half = 0
            while half < 100 * MIB and time.monotonic() < deadline:
                time.sleep(0.2)
                half = first.here(dataset)[0]
            first.kill()
            report.check(f"{name}: in the middle", 0 < half < 0.9 * SIZE
                         and b"CHECKSUM" not in guest.text, f"{half}")
            time.sleep(3)
            with Daemon(folder) as second:
                has_right_disk(name, guest)
                report.equal(f"{name}: QEMU's status", guest.end(60), 0)
                came = second.here(dataset)[1]
                report.check(f"{name}: what was here is not fetched again",
                             0 < came < SIZE - half + 32 * MIB, f"{came}, {half}")
                report.note(f"{name}: killed with {half / MIB:.0f} MiB here, then {came / MIB:.0f} MiB came")


def alive(number):
    """Whether the process runs: not one that has ended and was not waited for."""
    try:
        with open(f"/proc/{number}/stat", encoding="ascii") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def boot_killed(torrent):
    """`kill -9` of `swarm boot`: its QEMU goes with it."""
    name = "swarm boot killed"
    with Seeds(torrent, OURS) as seeds, boot(torrent, "checksum", *seeds.peers()) as guest:
        report.check(f"{name}: prompt", guest.wait(b"PROMPT at", 150), guest.said())
        with open(f"/proc/{guest.process.pid}/task/{guest.process.pid}/children", encoding="ascii") as file:
            children = [int(each) for each in file.read().split()]
        report.check(f"{name}: QEMU is its child", len(children) == 1 and alive(children[0]), f"{children}")
        guest.send(signal.SIGKILL)
        guest.process.wait()
        deadline = time.monotonic() + 10
        while any(alive(each) for each in children) and time.monotonic() < deadline:
            time.sleep(0.05)
        report.check(f"{name}: QEMU is gone", not any(alive(each) for each in children))


def two_hosts():
    """Issue 5, "Done when": seed there, boot here, a login."""
    name = "two hosts"
    there, here = hosts.on_a_bridge(2, os.path.join(scratch, "hosts"))
    seed = there.seed(IMAGE)
    link = node.link(seed.wait("started", 60) or {})
    with machine.Boot(here.home, link, "--accel", "tcg", prefix=here.prefix, cwd=here.home) as guest:
        seconds = guest.wait(b"login:")
        status = guest.event("status")
        report.check(f"{name}: login", seconds, guest.said())
        report.check(f"{name}: a few megabytes", 0 < status.get("downloaded", 0) < 40 * MIB, f"{status}")
        report.note(f"{name}: login after {seconds or 0:.1f} s, "
                    f"{status.get('downloaded', 0) / MIB:.1f} MiB came, kernel and all")
        before = len(guest.text)
        report.check(f"{name}: a shell", guest.asks(b"root", b":~#"), guest.said())
        guest.asks(b"sleep 1000", b"sleep 1000")
        time.sleep(1)
        guest.type(b"\x03")
        report.check(f"{name}: Ctrl-C is the guest's", guest.asks(b"echo $((6 * 7))x", b"42x"),
                     guest.said())
        guest.send(signal.SIGINT)
        report.check(f"{name}: and as a signal does not end the node",
                     guest.asks(b"echo $((7 * 7))x", b"49x"), guest.said())
        report.check(f"{name}: nothing is shown over the guest", b"MiB" not in guest.text[before:],
                     guest.said())
        guest.type(b"\x01x")
        report.equal(f"{name}: Ctrl-A X ends it", guest.end(), 0)
        report.check(f"{name}: the terminal is as it was", guest.is_as_before())
        first = guest.event("booted")
    # From what is here, without the seed.
    report.equal(f"{name}: the seed ends", seed.stop(), 0)
    with machine.Boot(here.home, link, "--accel", "tcg", prefix=here.prefix, cwd=here.home) as guest:
        seconds = guest.wait(b"login:")
        report.check(f"{name}: again, with nobody else", seconds, guest.said())
        guest.send(signal.SIGTERM)
        report.equal(f"{name}: SIGTERM ends QEMU and the node", guest.end(), 128 + signal.SIGTERM)
        report.check(f"{name}: the terminal is as it was, again", guest.is_as_before())
        booted = guest.event("booted")
        report.equal(f"{name}: nothing is fetched twice", booted.get("downloaded"), 0)
        report.note(f"{name}: again after {seconds or 0:.1f} s; first read after "
                    f"{first.get('first_read_after')} and {booted.get('first_read_after')} ms")


def refused():
    """What is wrong is said before anything runs."""
    small = os.path.join(scratch, "small")
    os.makedirs(os.path.join(small, "deep"))
    for path, content in (("a.img", bytes(4096)), ("deep/b.img", bytes(8192)), ("notes", b"x"),
                          # A qcow2 image that is read through another file, and one with its data in one.
                          ("backed.qcow2", b"QFI\xfb" + bytes((0, 0, 0, 3)) + bytes(7) + b"\x70" + bytes(96)),
                          ("outside.qcow2", b"QFI\xfb" + bytes((0, 0, 0, 3)) + bytes(64) + bytes(7) + b"\x04"
                           + bytes(32))):
        with open(os.path.join(small, path), "wb") as file:
            file.write(content)
    made = os.path.join(scratch, "small.torrent")
    swarm.create(small, made, "v2", "64K")
    with node.seed(made, os.path.join(scratch, "small-state"), OURS, *ALONE, "--data", scratch) as seed:
        node.listening(seed)

        def fails(name, words, *more, what=made, status=1, plain=False):
            command = [what, *more] if plain else [
                what, *more, *ALONE, "--listen", BOOT, "--state", tempfile.mkdtemp(dir=scratch),
                "--peer", OURS]
            with (machine.Console([swarm.PROGRAM, "boot", *command]) if plain
                  else machine.Boot(scratch, *command)) as guest:
                report.equal(f"{name}: status", guest.end(40), status)
                said = guest.text.replace(b"\r\n", b" ")
                report.check(f"{name}: {words}", words.encode() in said, guest.said())
        fails("no such file", "it has deep/b.img", "c.img")
        fails("a backing file", "it needs a backing file", "backed.qcow2", "--accel", "tcg")
        fails("data elsewhere", "its data is in another file", "outside.qcow2", "--accel", "tcg")
        fails("no QEMU", "apt-get install qemu-system-x86", "--qemu", "qemu-of-nobody")
        fails("objects on the terminal", "name a file by --status", "--json", plain=True)
        fails("QEMU refuses", "the machine ended with status 1", "--accel", "tcg", "--", "-no-such-option")
        fails("nobody has it", "is somebody seeding it?", "--wait", "2",
              what="magnet:?xt=urn:btmh:1220" + "ab" * 32)
        # Nothing to start on it; --accel auto must find its way.
        state = tempfile.mkdtemp(dir=scratch)
        with machine.Boot(scratch, made, *ALONE, "--listen", BOOT, "--state", state, "--peer",
                          OURS) as guest:
            report.check("no kernel: the firmware says what is missing",
                         guest.wait(b"No bootable device", 40), guest.said())
            report.equal("no kernel: the largest is chosen", guest.event("booting").get("image"),
                         "deep/b.img")
            socket = guest.event("booting").get("socket", "")
            report.check("no kernel: the socket is ours alone", os.path.exists(socket)
                         and os.stat(os.path.dirname(socket)).st_mode & 0o777 == 0o700, socket)
            with machine.Boot(scratch, made, *ALONE, "--state", state, "--peer", OURS) as second:
                report.equal("no kernel: no two machines in one folder", second.end(40), 1)
                report.check("no kernel: says who has it", b"another swarm, process" in second.text,
                             second.said())
            guest.send(signal.SIGTERM)
            report.equal("no kernel: ends", guest.end(), 128 + signal.SIGTERM)
            report.check("no kernel: leaves nothing", socket and not os.path.exists(os.path.dirname(socket)))


with tempfile.TemporaryDirectory(prefix="swarm-boot-test-") as scratch:
    os.environ["TMPDIR"] = scratch
    os.environ.pop("XDG_RUNTIME_DIR", None)
    checksum = machine.md5(DISK)
    start_bytes = sum(os.path.getsize(os.path.join(IMAGE, each)) for each in ("vmlinuz", "initrd", "cmdline"))
    torrent = os.path.join(scratch, "image.torrent")
    swarm.create(IMAGE, torrent, "v2", "64K")
    v1 = os.path.join(scratch, "v1.torrent")
    with open(v1, "wb") as file:
        file.write(lt.create(os.fsencode(IMAGE), "v1", 65536))
    parts = {
        "refused": refused,
        "two_hosts": two_hosts,
        "plain": lambda: plain("ours and libtorrent's", torrent, OURS, THEIRS, NEWER),
        "v1": lambda: plain("a v1 torrent of libtorrent's", v1, THEIRS),
        "seeds_killed": lambda: seeds_killed(torrent),
        "liar": lambda: liar(torrent),
        "node_killed": lambda: node_killed(torrent),
        "daemon_killed": lambda: daemon_killed(torrent),
        "boot_killed": lambda: boot_killed(torrent),
    }
    for part in sys.argv[1:] or parts:
        began = time.monotonic()
        parts[part]()
        report.note(f"{part} took {time.monotonic() - began:.0f} s")
report.finish()
