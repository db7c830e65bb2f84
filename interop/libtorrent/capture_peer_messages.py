#!/usr/bin/python3
"""Captures what other programs say in the peer protocol, for Tests/WireTests.

A program is started with one v1 torrent that is the same in every run, as its seed or as its
leech, and a plain socket plays the other side: shakes hands, offers extensions, asks for a block
and the metadata, or answers requests. Prints one line a message that comes:

    name hex-of-the-whole-message (of a piece only the first 13 bytes)

Needs python3-libtorrent: run with /usr/bin/python3. No traffic leaves the loopback.
"""

import argparse
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time

import libtorrent as lt

from capture_hash_messages import content, receive, session

NAMES = {0: "choke", 1: "unchoke", 2: "interested", 3: "not-interested", 4: "have", 5: "bitfield",
         6: "request", 7: "piece", 8: "cancel", 9: "port", 13: "suggest", 14: "have-all",
         15: "have-none", 16: "reject", 17: "allowed-fast", 20: "extended"}
BLOCK = 16384
LENGTH = 5 * 4 * BLOCK - 100
PROGRAMS = {"libtorrent": None, "aria2": "aria2c", "transmission": "transmission-cli"}


def make_torrent(folder):
    with open(os.path.join(folder, "data"), "wb") as file:
        file.write(content(LENGTH))
    storage = lt.file_storage()
    lt.add_files(storage, os.path.join(folder, "data"))
    made = lt.create_torrent(storage, 4 * BLOCK, lt.create_torrent.v1_only)
    lt.set_piece_hashes(made, folder)
    return lt.bencode(made.generate())


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def start(program, torrent, folder, port, config):
    """The command that runs a program other than libtorrent, listening at `port`."""
    if program == "aria2":
        return ["aria2c", "--no-conf", f"--dir={folder}", f"--listen-port={port}",
                "--enable-dht=false", "--enable-dht6=false", "--bt-enable-lpd=false",
                "--seed-ratio=0.0", "--check-integrity=true", "--quiet=true", torrent]
    os.makedirs(config)
    with open(os.path.join(config, "settings.json"), "w", encoding="utf-8") as file:
        json.dump({"dht-enabled": False, "lpd-enabled": False, "utp-enabled": False,
                   "port-forwarding-enabled": False, "peer-port": port,
                   "bind-address-ipv4": "127.0.0.1", "bind-address-ipv6": "::1"}, file)
    return ["transmission-cli", "-g", config, "-p", str(port), "-M", "-et", "-w", folder, torrent]


def connect(port, seconds):
    end = time.monotonic() + seconds
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except OSError:
            if time.monotonic() > end:
                sys.exit("the program does not listen")
            time.sleep(0.1)


def send(connection, kind, payload=b""):
    connection.sendall(struct.pack(">IB", 1 + len(payload), kind) + payload)


def converse(connection, infohash, role, seconds):
    """Plays the other side of a program in `role` and prints what comes."""
    connection.sendall(b"\x13BitTorrent protocol" + bytes([0, 0, 0, 0, 0, 0x10, 0, 0x05])
                       + infohash + b"-CAPTURE-0000000000-")
    connection.settimeout(seconds)
    print("handshake", receive(connection, 68).hex(), flush=True)
    ours = {"m": {"lt_donthave": 7, "upload_only": 3, "ut_metadata": 2, "ut_pex": 1}, "p": 6881,
            "v": "capture"}
    send(connection, 20, b"\0" + lt.bencode(ours))
    send(connection, 14 if role == "leech" else 15)
    send(connection, 2 if role == "seed" else 1)
    whole = content(LENGTH)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        prefix = receive(connection, 4)
        message = receive(connection, struct.unpack(">I", prefix)[0])
        if not message:
            print("keep-alive", prefix.hex(), flush=True)
            continue
        kind = message[0]
        shown = prefix + (message[:9] if kind == 7 else message)
        print(NAMES.get(kind, kind), shown.hex(), flush=True)
        if kind == 20 and message[1] == 0:
            theirs = lt.bdecode(message[2:])
            number = theirs.get(b"m", {}).get(b"ut_metadata")
            for piece in (0, 9) if number else ():
                send(connection, 20, bytes([number]) + lt.bencode({"msg_type": 0, "piece": piece}))
        if kind == 1:
            send(connection, 6, struct.pack(">III", 0, 0, BLOCK))
        if kind == 6:
            piece, begin, length = struct.unpack(">III", message[1:])
            start_at = piece * 4 * BLOCK + begin
            send(connection, 7, message[1:9] + whole[start_at:start_at + length])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", choices=sorted(PROGRAMS))
    parser.add_argument("role", choices=["seed", "leech"])
    parser.add_argument("--seconds", type=int, default=8)
    options = parser.parse_args()
    print(f"# {options.program}, {options.role}, libtorrent {lt.version}")
    with tempfile.TemporaryDirectory() as folder:
        torrent = make_torrent(folder)
        target = folder if options.role == "seed" else os.path.join(folder, "empty")
        os.makedirs(target, exist_ok=True)
        file = os.path.join(folder, "a.torrent")
        with open(file, "wb") as out:
            out.write(torrent)
        info = lt.torrent_info(file)
        process = None
        if options.program == "libtorrent":
            own = session()
            # Neither paused nor queued: such torrents refuse peers at first.
            handle = own.add_torrent({"ti": info, "save_path": target,
                                      "flags": lt.torrent_flags.update_subscribe})
            while not (own.listen_port() and int(handle.status().state) in (3, 5)):
                time.sleep(0.05)
            port = own.listen_port()
        else:
            port = free_port()
            command = start(options.program, file, target, port, os.path.join(folder, "config"))
            print("#", " ".join(command).replace(folder, "DIR"))
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
        try:
            connection = connect(port, 15)
            time.sleep(0.5)
            converse(connection, info.info_hash().to_bytes(), options.role, options.seconds)
        except (EOFError, OSError) as error:
            print(f"# the connection ended: {error or type(error).__name__}")
        finally:
            if process:
                process.kill()
                process.wait()


if __name__ == "__main__":
    main()
