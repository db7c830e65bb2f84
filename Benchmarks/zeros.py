"""A file of zeros of any size, a power of two, that takes no room: its torrent, and a peer that has all
of it. All hashes of a layer are the same, so that nothing is kept and nothing is hashed. BEP 3, BEP 52."""
import hashlib
import os
import socket
import struct
import threading

from bencode import encode

BLOCK = 16384


class Zeros:
    """`length` and `piece_length` are powers of two."""

    def __init__(self, name, length, piece_length):
        self.name, self.length, self.piece_length = name.encode(), length, piece_length
        self.layers = [hashlib.sha256(bytes(BLOCK)).digest()]
        while BLOCK << (len(self.layers) - 1) < length:
            self.layers.append(hashlib.sha256(self.layers[-1] * 2).digest())
        self.info = {b"name": self.name, b"piece length": piece_length, b"meta version": 2,
                     b"file tree": {self.name: {b"": {b"length": length,
                                                      b"pieces root": self.layers[-1]}}}}

    def write(self, path):
        """The torrent."""
        layer = self.layers[(self.piece_length // BLOCK).bit_length() - 1]
        with open(path, "wb") as file:
            file.write(encode({b"info": self.info, b"piece layers": {
                self.layers[-1]: layer * (self.length // self.piece_length)}}))

    def serve(self, address, port):
        """A seed, on threads of its own until the program ends."""
        server = socket.create_server((address, port))

        def accept():
            while True:
                client, _ = server.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()

    def _serve(self, client):
        try:
            with client, client.makefile("rb") as stream:
                stream.read(68)
                infohash = hashlib.sha256(encode(self.info)).digest()[:20]
                # It speaks BEP 6 and BEP 52: it has all, and lets all ask.
                client.sendall(b"\x13BitTorrent protocol" + bytes(7) + b"\x14" + infohash
                               + b"-XX0001-" + os.urandom(12) + message(14) + message(1))
                while head := stream.read(4):
                    body = stream.read(struct.unpack(">I", head)[0])
                    if body[:1] == b"\x06":
                        piece, begin, length = struct.unpack(">III", body[1:13])
                        client.sendall(message(7, struct.pack(">II", piece, begin) + bytes(length)))
                    elif body[:1] == b"\x15":
                        client.sendall(self._hashes(body[1:49]))
        except (OSError, struct.error):
            pass

    def _hashes(self, request):
        layer, _, length, proof = struct.unpack(">IIII", request[32:])
        # Above the layer there are uncles from where the hashes alone lead no further.
        steps = length.bit_length() - 1
        uncles = self.layers[layer + steps:layer + proof + 1]
        return message(22, request + self.layers[layer] * length + b"".join(uncles))


def message(kind, payload=b""):
    return struct.pack(">IB", 1 + len(payload), kind) + payload
