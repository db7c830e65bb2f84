"""A peer of BitTorrent v1 written by hand from docs/compression.md: it asks for blocks, or has all and gives
them, as frames of the program zstd or as they are."""
import socket
import struct
import subprocess
import threading

from bencode import decode, encode

BLOCK = 16384
NUMBER = 9  # by which we take messages of sw_zstd


def compress(data):
    """One frame that tells its length and has a single segment; without a checksum."""
    return subprocess.run(["zstd", "-q", "-c", "-5", "--no-check", f"--stream-size={len(data)}"], input=data,
                          stdout=subprocess.PIPE, check=True).stdout


def decompress(frame):
    return subprocess.run(["zstd", "-q", "-d", "-c"], input=frame, stdout=subprocess.PIPE,
                          check=True).stdout


class Wire:
    """A connection: handshakes, and messages one by one."""

    def __init__(self, connection, infohash, speaks, connects):
        self.socket = connection
        self.socket.settimeout(20)
        hello = (b"\x13BitTorrent protocol" + bytes([0, 0, 0, 0, 0, 0x10, 0, 0x04]) + infohash
                 + b"-HM0001-" + bytes(range(65, 77)))
        if connects:
            self.socket.sendall(hello)
        self.theirs = self._exactly(68)
        if not connects:
            self.socket.sendall(hello)
        self.send(20, b"\0" + encode({"m": {"sw_zstd": NUMBER} if speaks else {}}))
        self.number = 0  # by which the other side takes frames

    def _exactly(self, count):
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                raise EOFError("the other side is gone")
            data += part
        return data

    def send(self, kind, payload=b""):
        self.socket.sendall(struct.pack(">IB", 1 + len(payload), kind) + payload)

    def next(self):
        """(kind, payload) of the next message; what the extension handshake says is noted."""
        while True:
            length, = struct.unpack(">I", self._exactly(4))
            if length == 0:
                continue
            body = self._exactly(length)
            if body[:2] == b"\x14\0":
                self.number = decode(body[2:]).get(b"m", {}).get(b"sw_zstd", 0)
            return body[0], body[1:]


def fetch(address, infohash, blocks, speaks):
    """Asks a seed for blocks, each (piece, offset, length). For each (bytes, whether it came as a frame), and
    how many bytes of messages brought them."""
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), 20) as connection:
        wire = Wire(connection, infohash, speaks, connects=True)
        wire.send(15)  # have none (BEP 6)
        wire.send(2)  # interested
        while wire.next()[0] != 1:  # unchoke
            pass
        for each in blocks:
            wire.send(6, struct.pack(">III", *each))
        found, byte_count = {}, 0
        while len(found) < len(blocks):
            kind, payload = wire.next()
            if kind == 7:  # piece
                where = struct.unpack(">II", payload[:8])
                found[where] = payload[8:], False
            elif kind == 20 and payload[0] == NUMBER:
                *where, length = struct.unpack(">III", payload[1:13])
                block = decompress(payload[13:])
                if len(block) != length:
                    raise ValueError(f"a frame of {len(block)} bytes for a block of {length}")
                found[tuple(where)] = block, True
            else:
                continue
            byte_count += len(payload) + 5
        return [found[each[:2]] for each in blocks], byte_count


class Seed:
    """Has all of `data`, a torrent of one file, and answers with frames where the other side takes them.
    `spoil` changes a frame before it is sent."""

    def __init__(self, listen, infohash, data, piece_length, spoil=lambda frame: frame):
        self.infohash, self.data, self.piece_length, self.spoil = infohash, data, piece_length, spoil
        self.frames = self.plain = 0
        self.ended = threading.Event()  # somebody has closed the connection on us
        self.server = socket.create_server(listen)
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            wire = Wire(connection, self.infohash, True, connects=False)
            wire.send(14)  # have all (BEP 6)
            wire.send(1)  # unchoke
            while True:
                kind, payload = wire.next()
                if kind == 6:
                    self._answer(wire, payload)
        except (OSError, EOFError):
            self.ended.set()

    def _answer(self, wire, payload):
        piece, begin, length = struct.unpack(">III", payload)
        start = piece * self.piece_length + begin
        block = self.data[start:start + length]
        frame = compress(block)
        if wire.number and len(frame) < length:
            self.frames += 1
            wire.send(20, bytes([wire.number]) + payload + self.spoil(frame))
        else:
            self.plain += 1
            wire.send(7, payload[:8] + block)

    def close(self):
        self.server.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
