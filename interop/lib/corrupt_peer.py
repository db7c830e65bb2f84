"""A seed that answers with wrong bytes: a peer of its own, of BEP 3 alone, for v2 torrents."""
import hashlib
import os
import socket
import struct
import threading

from bencode import decode, encode


class CorruptPeer:
    """Has all of a torrent's content in `folder`, and flips a bit in each block that it sends."""

    def __init__(self, torrent, folder, listen):
        with open(torrent, "rb") as file:
            info = decode(file.read())[b"info"]
        self.infohash = hashlib.sha256(encode(info)).digest()[:20]
        self.piece_length = info[b"piece length"]
        # (path, first piece), in the order of the tree. A file begins with a piece. BEP 52.
        self.files = []
        self.pieces = 0
        self._list(info[b"file tree"], os.path.join(os.fsencode(folder), info[b"name"]))
        self.sent = 0
        self.server = socket.create_server(listen)
        threading.Thread(target=self._accept, daemon=True).start()

    def _list(self, tree, path):
        for name, below in sorted(tree.items()):
            if b"" in below:
                self.files.append((os.path.join(path, name), self.pieces))
                self.pieces += -(-below[b""][b"length"] // self.piece_length)
            else:
                self._list(below, os.path.join(path, name))

    def _accept(self):
        while True:
            client, _ = self.server.accept()
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            with client, client.makefile("rb") as stream:
                stream.read(68)
                client.sendall(b"\x13BitTorrent protocol" + bytes(8) + self.infohash
                               + b"-XX0001-" + os.urandom(12))
                whole, rest = divmod(self.pieces, 8)
                bits = b"\xff" * whole + (bytes([256 - (256 >> rest)]) if rest else b"")
                client.sendall(self._message(5, bits) + self._message(1))
                while head := stream.read(4):
                    body = stream.read(struct.unpack(">I", head)[0])
                    if body[:1] == b"\x06":
                        client.sendall(self._message(7, self._piece(*struct.unpack(">III", body[1:13]))))
                    elif body[:1] == b"\x15":  # hash request: rejected. BEP 52.
                        client.sendall(self._message(23, body[1:]))
        except (OSError, struct.error):
            pass

    @staticmethod
    def _message(kind, payload=b""):
        return struct.pack(">IB", 1 + len(payload), kind) + payload

    def _piece(self, piece, begin, length):
        path, first = next(each for each in reversed(self.files) if each[1] <= piece)
        with open(path, "rb") as file:
            file.seek((piece - first) * self.piece_length + begin)
            data = bytearray(file.read(length))
        data[len(data) // 2] ^= 1
        self.sent += 1
        return struct.pack(">II", piece, begin) + data
