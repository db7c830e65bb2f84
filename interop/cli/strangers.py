"""Those who connect to a seed and are no peers: port scanners, TLS and HTTP clients, the silent, the
many, the random. The node stays, a transfer that is under way goes on, and others are served."""
import os
import random
import resource
import shutil
import socket
import ssl
import struct
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from isolate import isolated

isolated()
import contents
import node
import swarm
from report import Report

report = Report()
SEED, BACKGROUND, VISITOR = "10.99.0.1:6901", "10.99.0.2:6902", "10.99.0.3:6903"
ADDRESS = ("10.99.0.1", 6901)
MOST_MEMORY = 100 << 10  # KiB
# Seconds; who says too little to be told from all that is known is closed after 30.
PATIENCE = 40
RANDOM = random.Random(3)


def stranger(timeout=5):
    connection = socket.socket()
    connection.settimeout(timeout)
    try:
        connection.connect(ADDRESS)
    except ConnectionRefusedError:
        report.check("the node takes connections", False, seed.said())
        report.finish()
    return connection


def is_closed(connection, seconds):
    """Whether the node closes it, whatever it says before."""
    connection.settimeout(seconds)
    try:
        while connection.recv(4096):
            pass
        return True
    except ConnectionError:
        return True
    except TimeoutError:
        return False


def scanner():
    """Connects and goes: politely, by a reset, with one half closed."""
    for number in range(600):
        connection = stranger()
        if number % 3 == 1:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif number % 3 == 2:
            connection.shutdown(socket.SHUT_WR)
        connection.close()


def tls():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        context.wrap_socket(stranger(PATIENCE))
        report.check("TLS: refused", False, "it shook hands")
    except TimeoutError:
        report.check("TLS: closed, not kept waiting", False, f"open after {PATIENCE} s")
    except OSError:
        report.check("TLS: refused", True)


def http():
    for request in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n" * 1000):
        with stranger() as connection:
            try:
                connection.sendall(request)
            except ConnectionError:
                pass
            report.check("HTTP: closed", is_closed(connection, PATIENCE))


def encrypted():
    """What the first message of BitTorrent's encryption looks like: a client that gets no answer
    tries again without, and must not wait for it."""
    with stranger() as connection:
        connection.sendall(RANDOM.randbytes(96 + 300))
        report.check("encryption: closed at once", is_closed(connection, 10))


def handshake(infohash, reserved=bytes(5) + b"\x10\x00\x05"):
    return b"\x13BitTorrent protocol" + reserved + infohash + b"-XX0000-" + RANDOM.randbytes(12)


def noise():
    """Random bytes; random bytes after a right handshake; a wrong torrent; messages with lengths
    that are too large; requests for what is not there."""
    wrong = handshake(RANDOM.randbytes(20))
    right = [handshake(bytes.fromhex(each)[:20]) for each in infohashes if each]
    huge = b"\xff\xff\xff\xff\x07", b"\x7f\xff\xff\xff\x14\x00", struct.pack(">IB", 1 << 24, 20)
    request = struct.pack(">IBIII", 13, 6, 1 << 31, 1 << 31, 1 << 31)
    for number in range(150):
        with stranger() as connection:
            start = RANDOM.choice([b"", wrong, *right, right[0][:RANDOM.randrange(68)]])
            rest = RANDOM.choice([RANDOM.randbytes(RANDOM.randrange(3000)), *huge, request * 500])
            try:
                connection.sendall(start + rest)
                if number % 10 == 0:
                    connection.settimeout(0.2)
                    connection.recv(1 << 16)
            except OSError:
                pass


def crowd(count):
    """So many connections at once, which stay open until the caller closes them."""
    connections = []
    for _ in range(count):
        connection = socket.socket()
        connection.setblocking(False)
        connection.connect_ex(ADDRESS)
        connections.append(connection)
    time.sleep(2)
    return connections


def serves(name):
    """A newcomer gets everything."""
    target = os.path.join(scratch, "visitor")
    with node.join(torrent, target, os.path.join(scratch, "visitor-state"), VISITOR, "--once",
                   peers=[SEED]) as leech:
        done = node.finished(leech, PATIENCE)
        wrong = contents.difference_soon(
            content, os.path.join(os.fsencode(target), b"data")) if done else "not finished"
        report.check(f"{name}: others are served", wrong is None,
                     f"{wrong}; {leech.said()}; seed {seed.said()}")
    for each in ("visitor", "visitor-state"):
        shutil.rmtree(os.path.join(scratch, each), ignore_errors=True)
    report.check(f"{name}: the node is there", seed.is_alive(), seed.said())


def memory_and_rest(name):
    with open(f"/proc/{seed.pid}/status", encoding="ascii") as file:
        fields = dict(line.split(":", 1) for line in file)
    most = int(fields["VmHWM"].split()[0])
    report.check(f"{name}: memory", most <= MOST_MEMORY, f"{most >> 10} MiB")
    before = cpu_seconds()
    time.sleep(2)
    report.check(f"{name}: it does not spin", cpu_seconds() - before < 1,
                 f"{cpu_seconds() - before:.1f} CPU seconds in 2 s")


def cpu_seconds():
    with open(f"/proc/{seed.pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
with tempfile.TemporaryDirectory(prefix="swarm-strangers-") as scratch:
    content = contents.make(os.path.join(scratch, "source"), 4)
    torrent = os.path.join(scratch, "hybrid.torrent")
    infohashes = swarm.create(content, torrent, "hybrid", 65536)
    # Fewer descriptors than there will be connections, as most systems give.
    with node.seed(torrent, os.path.join(scratch, "state"), SEED, "--data",
                   os.path.join(scratch, "source"),
                   prefix=["prlimit", "--nofile=1024:1024"]) as seed:
        report.check("the seed starts", node.listening(seed), seed.said())
        slow = os.path.join(scratch, "slow")
        with node.join(torrent, slow, os.path.join(scratch, "slow-state"), BACKGROUND,
                       "--download-limit", "256K", peers=[SEED]) as leech:
            leech.wait("status", 10, lambda each: node.done(each) > 0)
            silent = [stranger() for _ in range(20)]
            for stranger_kind in (scanner, tls, http, encrypted, noise):
                stranger_kind()
                serves(stranger_kind.__name__)
            many = crowd(2000)
            memory_and_rest("2,000 connections")
            for connection in many:
                connection.close()
            serves("after 2,000 connections")
            report.check("the silent are sent away", all(is_closed(each, 90) for each in silent))
            report.check("a transfer under way goes on", node.finished(leech, 60)
                         and contents.difference_soon(
                             content, os.path.join(os.fsencode(slow), b"data")) is None,
                         leech.said())
        memory_and_rest("in the end")
        report.check("the log is not flooded", len(seed.errors) < 100, f"{len(seed.errors)} lines")
        report.check("it ends when told to", seed.stop() in node.STOPPED, seed.said())
report.finish()
