#!/usr/bin/python3
"""Captures what libtorrent says in the hash messages of BEP 52, for Tests/WireTests.

A libtorrent seed on the loopback serves one v2 torrent that is the same in every run. First a
plain socket asks it for hashes. Then a second libtorrent joins by the magnet link, so without
piece layers, through a proxy that notes what passes. Prints one line a message:

    direction kind root base-layer index length proof-layers hashes hex-of-the-whole-message

Needs python3-libtorrent: run with /usr/bin/python3. No traffic leaves the loopback.
"""

import argparse
import os
import socket
import struct
import sys
import tempfile
import threading
import time

import libtorrent as lt

NAMES = {21: "hash-request", 22: "hashes", 23: "hash-reject"}
BLOCK = 16384
HANDSHAKE = 68


def content(length):
    """Bytes that are cheap to make and differ in every block."""
    block = b"".join(struct.pack(">I", i * 2654435761 % 2**32) for i in range(BLOCK // 4))
    out = bytearray()
    number = 0
    while len(out) < length:
        out += struct.pack(">I", number) + block[4:]
        number += 1
    return bytes(out[:length])


def make_torrent(folder, blocks, piece_length):
    with open(os.path.join(folder, "data"), "wb") as file:
        file.write(content(blocks * BLOCK - 100))
    storage = lt.file_storage()
    lt.add_files(storage, os.path.join(folder, "data"))
    made = lt.create_torrent(storage, piece_length, lt.create_torrent.v2_only)
    lt.set_piece_hashes(made, folder)
    return lt.bencode(made.generate())


def session():
    return lt.session({
        "listen_interfaces": "127.0.0.1:0", "enable_dht": False, "enable_lsd": False,
        "enable_upnp": False, "enable_natpmp": False, "enable_incoming_utp": False,
        "enable_outgoing_utp": False, "allow_multiple_connections_per_ip": True,
        "in_enc_policy": 2, "out_enc_policy": 2, "alert_mask": 0,
    })


def wait(condition, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def show(direction, message, out):
    """Prints a hash message that came without its length prefix; others are left out."""
    if message[:1] and message[0] in NAMES:
        numbers = struct.unpack(">IIII", message[33:49])
        hashes = (len(message) - 49) // 32
        whole = struct.pack(">I", len(message)) + message
        text = whole.hex() if len(whole) <= 1024 else f"({len(whole)} bytes)"
        print(direction, NAMES[message[0]], message[1:33].hex()[:8], *numbers, hashes, text,
              file=out, flush=True)


def receive(connection, count):
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            raise EOFError
        data += part
    return data


def messages(connection):
    receive(connection, HANDSHAKE)
    while True:
        length = struct.unpack(">I", receive(connection, 4))[0]
        yield receive(connection, length)


def ask(port, infohash, root, questions, out):
    """Asks the seed over a plain socket; one answer a question."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(10)
        reserved = bytes([0, 0, 0, 0, 0, 0x10, 0, 0x14])
        connection.sendall(b"\x13BitTorrent protocol" + reserved + infohash + b"-CAPTURE-0000000000-")
        answers = messages(connection)
        for question in questions:
            message = b"\x15" + root + struct.pack(">IIII", *question)
            show("to-seed", message, out)
            connection.sendall(struct.pack(">I", len(message)) + message)
            for answer in answers:
                if answer[:1] and answer[0] in NAMES:
                    show("by-seed", answer, out)
                    break


def proxy(seed_port, out):
    """Listens; passes one connection at a time on to the seed, and shows its hash messages."""
    listener = socket.create_server(("127.0.0.1", 0))

    def pump(source, target, direction):
        buffered = b""
        skipped = HANDSHAKE
        try:
            while data := source.recv(65536):
                target.sendall(data)
                buffered += data
                if skipped:
                    if len(buffered) < skipped:
                        continue
                    buffered, skipped = buffered[skipped:], 0
                while len(buffered) >= 4:
                    length = struct.unpack(">I", buffered[:4])[0]
                    if len(buffered) < 4 + length:
                        break
                    show(direction, buffered[4:4 + length], out)
                    buffered = buffered[4 + length:]
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        print(f"{direction} closed", file=out, flush=True)

    def serve():
        while True:
            inner, _ = listener.accept()
            outer = socket.create_connection(("127.0.0.1", seed_port))
            for ends in ((inner, outer, "by-leech"), (outer, inner, "by-seed")):
                threading.Thread(target=pump, args=ends, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", type=int, default=21)
    parser.add_argument("--piece-length", type=int, default=2 * BLOCK)
    parser.add_argument("--ask", action="append", default=[], metavar="BASE,INDEX,LENGTH,PROOFS")
    parser.add_argument("--leech", action="store_true", help="let a second libtorrent join")
    parser.add_argument("--seed-mode", action="store_true",
                        help="the seed believes its data without hashing it")
    parser.add_argument("--seconds", type=int, default=20)
    options = parser.parse_args()
    out = sys.stdout
    print(f"# libtorrent {lt.version}: {' '.join(sys.argv[1:])}", file=out)
    with tempfile.TemporaryDirectory() as folder:
        torrent = lt.torrent_info(make_torrent(folder, options.blocks, options.piece_length))
        root = bytes(torrent.files().root(0).to_bytes())
        infohash = torrent.info_hashes().v2.to_bytes()
        print(f"# infohash {infohash.hex()} root {root.hex()}", file=out)
        seed = session()
        flags = lt.torrent_flags.seed_mode if options.seed_mode else lt.torrent_flags.default_flags
        handle = seed.add_torrent({"ti": torrent, "save_path": folder, "flags": flags})
        if not wait(lambda: seed.listen_port() and handle.status().is_seeding, 10):
            sys.exit("the seed does not start")
        questions = [tuple(map(int, text.split(","))) for text in options.ask]
        if questions:
            ask(seed.listen_port(), infohash[:20], root, questions, out)
        if options.leech:
            port = proxy(seed.listen_port(), out)
            other = session()
            joined = lt.parse_magnet_uri(f"magnet:?xt=urn:btmh:1220{infohash.hex()}")
            joined.save_path = os.path.join(folder, "leech")
            handle = other.add_torrent(joined)
            handle.connect_peer(("127.0.0.1", port))
            done = wait(lambda: handle.status().is_seeding, options.seconds)
            print(f"# the leech {'has it all' if done else 'is not done'}", file=out)


if __name__ == "__main__":
    main()
