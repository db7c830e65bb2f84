"""A folder that we made a torrent of, sent from one libtorrent to another by that torrent, on
loopback. transfer.py [MIB]: how much; 64 without it."""
import filecmp
import os
import shutil
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import libtorrent
import swarm
import trees
from report import Report

report = Report()
MIB = int(sys.argv[1]) if len(sys.argv) > 1 else 64
PATIENCE = 60 + MIB  # seconds


def session():
    """A libtorrent that speaks on loopback only, and to nobody unasked."""
    return libtorrent.session({
        "listen_interfaces": "127.0.0.1:0", "outgoing_interfaces": "127.0.0.1",
        "enable_dht": False, "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False,
        "allow_multiple_connections_per_ip": True,
    })


def add(to, torrent, folder, seeding):
    parameters = libtorrent.add_torrent_params()
    parameters.ti = libtorrent.torrent_info(os.fsdecode(torrent))
    parameters.save_path = os.fsdecode(folder)
    if seeding:
        parameters.flags |= libtorrent.torrent_flags.seed_mode
    parameters.flags &= ~libtorrent.torrent_flags.auto_managed
    parameters.flags &= ~libtorrent.torrent_flags.paused
    return to.add_torrent(parameters)


def fetch(torrent, source, target):
    """Whether a second libtorrent got all of it from a first one."""
    seed, leech = session(), session()
    handle = add(leech, torrent, target, seeding=False)
    seeding = add(seed, torrent, source, seeding=True)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        status = handle.status()
        if status.is_seeding:
            break
        if status.num_peers == 0:
            handle.connect_peer(("127.0.0.1", seed.listen_port()))
        time.sleep(0.1)
    finished = handle.status().is_seeding and not seeding.status().errc.value()
    # Removing it waits for what is still on its way to the disk.
    for each, of in ((leech, handle), (seed, seeding)):
        each.remove_torrent(of)
    del seed, leech
    return finished


def same(left, right):
    """Whether both folders hold the same names and bytes."""
    for folder, _, names in os.walk(left):
        for name in names:
            path = os.path.join(folder, name)
            other = os.path.join(right, os.path.relpath(path, left))
            if not os.path.isfile(other) or not filecmp.cmp(path, other, shallow=False):
                return False
    return True


with tempfile.TemporaryDirectory(prefix="swarm-interop-") as scratch:
    scratch = os.fsencode(scratch)
    source = os.path.join(scratch, b"source")
    data = os.path.join(source, b"data")
    for number in range(4):
        size = MIB * (1 << 20) // 4 + number * 12345
        trees.write(data, b"part%d/file" % number, trees.content(number, size))
    trees.write(data, b"program", trees.content("program", 100), executable=True)
    trees.write(data, b"empty", b"")
    for kind in ("v2", "hybrid", "v1"):
        torrent = os.path.join(scratch, kind.encode() + b".torrent")
        swarm.create(data, torrent, kind, "auto")
        verdict = swarm.Verdict(torrent, source)
        report.check(f"{kind}: verifies where it was made", verdict.status == 0)
        target = os.path.join(scratch, b"target")
        started = time.monotonic()
        report.check(f"{kind}: arrives", fetch(torrent, source, target))
        report.note(f"{kind}: {MIB} MiB in {time.monotonic() - started:.1f} s")
        report.check(f"{kind}: the same bytes", same(data, os.path.join(target, b"data")))
        report.check(f"{kind}: verifies where it arrived", swarm.Verdict(torrent, target).status == 0)
        shutil.rmtree(target, ignore_errors=True)
report.finish()
