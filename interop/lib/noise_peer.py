"""The side of a private connection that dials, from docs/private.md and the specifications that it names, with
nothing but Python's own library: Noise NNpsk0, X25519 (RFC 7748), ChaCha20-Poly1305 (RFC 8439), XChaCha20. Slow, and
of no use where anybody measures time."""
import hashlib
import hmac
import os
import socket
import struct
import time

VERSION = b"SwarmNode private 1"
PROTOCOL = b"Noise_NNpsk0_25519_ChaChaPoly_BLAKE2b"
PRIME = 2**255 - 19
TAG = 16
REKEY = 1 << 26


def derive(read_key, text):
    return hashlib.blake2b(VERSION + b" " + text, digest_size=32, key=read_key).digest()


def multiply(scalar, point):
    """X25519."""
    number = int.from_bytes(scalar, "little") & ~7 & ~(1 << 255) | 1 << 254
    x1 = int.from_bytes(point, "little") & ~(1 << 255)
    x2, z2, x3, z3, swap = 1, 0, x1, 1, 0
    for bit in reversed(range(255)):
        now = number >> bit & 1
        if swap != now:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = now
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a, b * b, d * a, c * b
        e = aa - bb
        x3, z3 = (da + cb) ** 2 % PRIME, x1 * (da - cb) ** 2 % PRIME
        x2, z2 = aa * bb % PRIME, e * (aa + 121665 * e) % PRIME
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, PRIME - 2, PRIME) % PRIME).to_bytes(32, "little")


def rounds(state):
    s = list(state)

    def quarter(a, b, c, d):
        for x, y, z, by in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            s[x] = s[x] + s[y] & 0xffffffff
            s[z] ^= s[x]
            s[z] = (s[z] << by | s[z] >> 32 - by) & 0xffffffff
    for _ in range(10):
        for column in range(4):
            quarter(column, column + 4, column + 8, column + 12)
        for diagonal in range(4):
            quarter(diagonal, 4 + (diagonal + 1) % 4, 8 + (diagonal + 2) % 4, 12 + (diagonal + 3) % 4)
    return s


def state_of(key, last):
    return struct.unpack("<16I", b"expand 32-byte k" + key + last)


def stream(key, nonce, count, block=1):
    """ChaCha20, from that block on."""
    found = bytearray()
    while len(found) < count:
        state = state_of(key, struct.pack("<I", block) + nonce)
        found += struct.pack("<16I", *(a + b & 0xffffffff for a, b in zip(state, rounds(state))))
        block += 1
    return bytes(found[:count])


def combine(a, b):
    return (int.from_bytes(a, "little") ^ int.from_bytes(b, "little")).to_bytes(len(a), "little")


def tag_of(key, nonce, sealed, data):
    one_time = stream(key, nonce, 32, 0)
    r = int.from_bytes(one_time[:16], "little") & 0x0ffffffc0ffffffc0ffffffc0fffffff
    total = 0
    padded = data + bytes(-len(data) % 16) + sealed + bytes(-len(sealed) % 16)
    padded += struct.pack("<QQ", len(data), len(sealed))
    for at in range(0, len(padded), 16):
        total = (total + int.from_bytes(padded[at:at + 16] + b"\1", "little")) * r % (2**130 - 5)
    return ((total + int.from_bytes(one_time[16:], "little")) % 2**128).to_bytes(16, "little")


class Cipher:
    def __init__(self, key):
        self.key, self.number, self.bytes = key, 0, 0

    def _nonce(self, number=None):
        return bytes(4) + struct.pack("<Q", self.number if number is None else number)

    def seal(self, message, data=b""):
        sealed = combine(message, stream(self.key, self._nonce(), len(message)))
        sealed += tag_of(self.key, self._nonce(), sealed, data)
        self.number += 1
        return sealed

    def open(self, sealed, data=b""):
        message, tag = sealed[:-TAG], sealed[-TAG:]
        if tag_of(self.key, self._nonce(), message, data) != tag:
            raise ValueError(f"message {self.number} does not open")
        message = combine(message, stream(self.key, self._nonce(), len(message)))
        self.number += 1
        return message

    def count(self, byte_count):
        """A frame is done."""
        self.bytes += byte_count
        if self.bytes >= REKEY:
            self.key, self.bytes = stream(self.key, self._nonce(2**64 - 1), 32), 0


def keys_of(chaining, given, count):
    secret, found = hmac.digest(chaining, given, "blake2b"), []
    for number in range(1, count + 1):
        found.append(hmac.digest(secret, (found[-1] if found else b"") + bytes([number]), "blake2b"))
    return found


class Hello:
    """A first message and what the answer needs of it."""

    def __init__(self, read_key, address, port, seconds=None):
        self.mask_key = derive(read_key, b"mask")
        psk, discovery = derive(read_key, b"psk"), derive(read_key, b"discovery")
        self.hash = self.chaining = PROTOCOL + bytes(64 - len(PROTOCOL))
        self._mix(VERSION + discovery)
        self.chaining, hashed, key = keys_of(self.chaining, psk, 3)
        self._mix(hashed)
        self.secret, self.nonce = os.urandom(32), os.urandom(24)
        public = multiply(self.secret, (9).to_bytes(32, "little"))
        self._mix(public)
        self.chaining, key = keys_of(self.chaining, public, 2)
        padding = os.urandom(os.urandom(1)[0])
        place = bytes(10) + b"\xff\xff" + socket.inet_aton(address) + struct.pack(">H", port)
        payload = struct.pack(">Q", int(time.time()) if seconds is None else seconds) + place
        payload += struct.pack(">HI", len(padding), 0)
        sealed = Cipher(key[:32]).seal(payload, self.hash)
        self._mix(sealed)
        self.bytes = self.nonce + self._mask(public, 0) + sealed + padding

    def _mix(self, data):
        self.hash = hashlib.blake2b(self.hash + data).digest()

    def _mask(self, key, number):
        state = rounds(state_of(self.mask_key, self.nonce[:16]))
        subkey = struct.pack("<8I", *state[:4], *state[12:])
        whole = stream(subkey, bytes(4) + self.nonce[16:], 64, 0)
        return combine(key, whole[32 * number:32 * number + 32])

    def take(self, answer):
        """Of the answer's 56 bytes: (cipher to send with, cipher to receive with, bytes of padding)."""
        public = self._mask(answer[:32], 1)
        self._mix(public)
        self.chaining, _ = keys_of(self.chaining, public, 2)
        self.chaining, key = keys_of(self.chaining, multiply(self.secret, public), 2)
        payload = Cipher(key[:32]).open(answer[32:], self.hash)
        sending, receiving = keys_of(self.chaining, b"", 2)
        return Cipher(sending[:32]), Cipher(receiving[:32]), struct.unpack(">H", payload[:2])[0]


class Peer:
    """A member's connection: `write` and `read` the stream of BitTorrent."""

    def __init__(self, read_key, address, port, timeout=20):
        self.socket = socket.create_connection((address, port), timeout)
        hello = Hello(read_key, address, port)
        self.socket.sendall(hello.bytes)
        self.sending, self.receiving, padding = hello.take(self._exactly(56))
        self._exactly(padding)
        self.content = b""

    def _exactly(self, count):
        found = b""
        while len(found) < count:
            more = self.socket.recv(count - len(found))
            if not more:
                raise EOFError(f"closed after {len(found)} of {count} bytes")
            found += more
        return found

    def write(self, content, padding=0):
        head = self.sending.seal(struct.pack(">HH", len(content), padding))
        body = self.sending.seal(content + bytes(padding))
        self.sending.count(len(head) + len(body))
        self.socket.sendall(head + body)

    def read(self, count):
        while len(self.content) < count:
            content, padding = struct.unpack(">HH", self.receiving.open(self._exactly(20)))
            body = self.receiving.open(self._exactly(content + padding + TAG))
            self.receiving.count(20 + len(body) + TAG)
            self.content += body[:content]
        found, self.content = self.content[:count], self.content[count:]
        return found

    def message(self):
        """(number or None, body) of the next message. BEP 3."""
        length = struct.unpack(">I", self.read(4))[0]
        body = self.read(length)
        return (body[0], body[1:]) if body else (None, b"")

    def close(self):
        self.socket.close()


def handshake(infohash):
    return b"\x13BitTorrent protocol" + bytes(8) + infohash[:20] + b"-XX0000-" + os.urandom(12)


def fetch_block(peer, infohash, piece=0, begin=0, length=1 << 14):
    """A block, as any BitTorrent client gets it. BEP 3."""
    # In frames as they come: cut anywhere, padded, or empty.
    said = handshake(infohash)
    peer.write(said[:30], 100)
    peer.write(b"", 7)
    peer.write(said[30:])
    answered = peer.read(68)
    if answered[:20] != said[:20] or answered[28:48] != infohash[:20]:
        raise ValueError(f"no handshake: {answered!r}")
    peer.write(struct.pack(">IB", 1, 2))
    while peer.message()[0] != 1:
        pass
    peer.write(struct.pack(">IBIII", 13, 6, piece, begin, length))
    while True:
        number, body = peer.message()
        if number == 7 and struct.unpack(">II", body[:8]) == (piece, begin):
            return body[8:]
