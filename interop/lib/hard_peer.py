"""Peers that make it hard: one that has everything and chokes, and a line that is slow, stops, or
breaks."""
import socket
import struct
import threading
import time

from corrupt_peer import CorruptPeer


class ChokingPeer(CorruptPeer):
    """Gives right blocks, `gives` of them, and chokes for good then."""

    def __init__(self, *where, gives):
        self.gives = gives
        super().__init__(*where)

    def _first(self, client):
        client.sendall(self._message(1) if self.gives else self._message(0))

    def _answer(self, client, piece, begin, length):
        if self.sent >= self.gives:
            client.sendall(self._message(0))
        else:
            client.sendall(self._message(7, self._piece(piece, begin, length)))

    def _harm(self, data):
        pass


class Line:
    """A place to connect to, from which bytes go to a peer and back: at a rate that can be changed."""

    def __init__(self, listen, peer):
        self.peer = peer
        self.rate = None  # bytes a second towards who connects; None for as fast as it goes
        self.server = socket.create_server(listen)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            client, _ = self.server.accept()
            try:
                there = socket.create_connection(self.peer, 10)
            except OSError:
                client.close()
                continue
            for words in ((client, there, False), (there, client, True)):
                threading.Thread(target=self._carry, args=words, daemon=True).start()

    def _carry(self, source, target, is_slow):
        try:
            while part := source.recv(16384):
                while is_slow and part and self.rate is not None:
                    # Twenty parts a second; at 0 nothing until that changes.
                    count = self.rate // 20
                    target.sendall(part[:count])
                    part = part[count:]
                    time.sleep(0.05)
                target.sendall(part)
        except (OSError, struct.error):
            pass
        for each in (source, target):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
