"""Who sends what to a node with a private dataset: one that has the read key and is no program of ours gets a block; all
others not one byte, and are closed no earlier and no later than who sends nothing at all. Then the same beside a
public torrent, where nobody is kept waiting, and still all are alike."""
import os
import re
import selectors
import socket
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from isolate import isolated

isolated()
import node
import noise_peer
import swarm
from report import Report

report = Report()
# Where a node knows by which address it was dialed, and takes more than a few strangers of one address.
SEED, OTHER = ("127.0.0.1", 6901), ("127.0.0.1", 6902)
OPEN, OPEN_LEECH = "127.0.0.1:6903", "127.0.0.1:6904"
# When those are closed who say nothing known (docs/private.md), in seconds, and how late a busy machine may be.
SILENCE, LATE = 30, 6
QUIET = ("--no-dht", "--no-lan", "--no-mapping")


def place(endpoint):
    return f"{endpoint[0]}:{endpoint[1]}"


def start(scratch, name, path, endpoint, *more):
    found = node.seed(path, os.path.join(scratch, "state-" + name), place(endpoint), *QUIET, *more)
    started = found.wait("started", 60)
    if not report.check(f"{name}: seeds", started and node.is_whole(found), found.said()):
        report.finish()
    return found, started


def probe(endpoint, attempts):
    """Sends each on a connection of its own, all at once. By name: (bytes that came, seconds until the end)."""
    chosen, found, opened = selectors.DefaultSelector(), {}, {}
    for name, said in attempts.items():
        connection = socket.create_connection(endpoint, 10)
        opened[name] = time.monotonic()
        if said:
            connection.sendall(said)
        connection.setblocking(False)
        chosen.register(connection, selectors.EVENT_READ, name)
        found[name] = (b"", None)
    deadline = time.monotonic() + SILENCE + LATE + 4
    while chosen.get_map() and time.monotonic() < deadline:
        for key, _ in chosen.select(1):
            name = key.data
            try:
                said = key.fileobj.recv(4096)
            except ConnectionError:
                said = b""
            if said:
                found[name] = (found[name][0] + said, None)
            else:
                found[name] = (found[name][0], time.monotonic() - opened[name])
                chosen.unregister(key.fileobj)
                key.fileobj.close()
    return found


def attempts_at(read_key, endpoint, infohash, answered, elsewhere):
    """What strangers may send. `answered` is a first message that was answered, `elsewhere` one that another node was
    sent and did not answer."""
    now = int(time.time())
    fresh = noise_peer.Hello(read_key, *endpoint).bytes
    changed = bytearray(noise_peer.Hello(read_key, *endpoint).bytes)
    changed[100] ^= 1
    return {
        "a wrong read key": noise_peer.Hello(os.urandom(32), *endpoint).bytes,
        "a replayed first message": answered,
        "one passed on from another node": elsewhere,
        "one of an hour ago": noise_peer.Hello(read_key, *endpoint, now - 3600).bytes,
        "one with a bit changed": bytes(changed),
        "random bytes": os.urandom(400),
        "many random bytes": os.urandom(100_000),
        "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + b"X-Y: z\r\n" * 20,
        "half a message": fresh[:52],
        "nothing": b"",
        "half of BitTorrent's beginning": b"\x13BitTorrent",
        "BitTorrent, the right infohash": noise_peer.handshake(infohash),
        "BitTorrent, another infohash": noise_peer.handshake(os.urandom(20)),
    }


def seconds(value):
    return "still open" if value is None else f"closed after {value:.1f} s"


def none_is_answered(name, found, waiting):
    """`waiting`: those that are closed when the time is over, and no earlier."""
    for what, (said, ended) in found.items():
        report.equal(f"{name}: {what}: bytes in answer", len(said), 0)
        if what in waiting:
            report.check(f"{name}: {what}: closed when the time is over",
                         ended is not None and SILENCE - 1 <= ended <= SILENCE + LATE, seconds(ended))
        else:
            report.check(f"{name}: {what}: closed soon", ended is not None and ended <= LATE,
                         seconds(ended))


def member(scratch, name, read_key, infohash, content, endpoint):
    """Python's own initiator gets a block. The first message that was answered."""
    try:
        peer = noise_peer.Peer(read_key, *endpoint)
        block = noise_peer.fetch_block(peer, infohash)
        report.check(f"{name}: another implementation gets a block", block == content[:1 << 14],
                     f"{len(block)} bytes")
        peer.close()
    except (OSError, EOFError, ValueError) as error:
        report.check(f"{name}: another implementation gets a block", False, repr(error))
    hello = noise_peer.Hello(read_key, *endpoint).bytes
    with socket.create_connection(endpoint, 10) as connection:
        connection.sendall(hello)
        report.check(f"{name}: a first message is answered", len(connection.recv(4096)) >= 1)
    return hello


with tempfile.TemporaryDirectory(prefix="swarm-probes-") as scratch:
    content = os.urandom(200_000)
    path = os.path.join(scratch, "records.bin")
    with open(path, "wb") as file:
        file.write(content)
    private, started = start(scratch, "private", path, SEED, "--private")
    read_key = bytes.fromhex(re.search(r"x\.rk=([0-9a-f]{64})", node.link(started))[1])
    infohash = bytes.fromhex(started["infohash_v2"])
    with private:
        answered = member(scratch, "private", read_key, infohash, content, SEED)
        # For a node that has the same key and is somewhere else; it never got it.
        elsewhere = noise_peer.Hello(read_key, *OTHER).bytes
        found = probe(SEED, attempts_at(read_key, SEED, infohash, answered, elsewhere))
        none_is_answered("private", found, found)
        ends = [ended for _, ended in found.values() if ended is not None]
        report.check("private: all are closed alike", ends and max(ends) - min(ends) < LATE, repr(ends))
        member(scratch, "afterwards", read_key, infohash, content, SEED)
        report.check("it ends when told to", private.stop() in node.STOPPED, private.said())

    # A public torrent: the same port, and those who do not know it are not kept waiting.
    torrent = os.path.join(scratch, "open.torrent")
    open_name = swarm.create(path, torrent, "v2", 65536)[1]
    address, port = OPEN.split(":")
    with node.seed(torrent, os.path.join(scratch, "state-open"), OPEN, *QUIET, "--data", scratch) as seed:
        report.check("public: seeds", node.listening(seed) and node.is_whole(seed), seed.said())
        attempts = attempts_at(os.urandom(32), (address, int(port)), os.urandom(20), os.urandom(150),
                               os.urandom(150))
        found = probe((address, int(port)), attempts)
        none_is_answered("public", found, {
            "half a message", "nothing", "half of BitTorrent's beginning"})
        leech = os.path.join(scratch, "leech")
        with node.join(torrent, leech, os.path.join(scratch, "state-leech"), OPEN_LEECH, *QUIET, "--once",
                       peers=[OPEN]) as joining:
            report.check("public: others are served", node.finished(joining), joining.said())
report.finish()
