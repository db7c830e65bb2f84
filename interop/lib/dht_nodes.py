"""Nodes of a private DHT: libtorrent's, ours without a torrent (swarm-dht), and a hand that puts signed
values by single messages. Addresses are those of isolate.py."""
import ctypes
import ctypes.util
import hashlib
import json
import os
import re
import socket
import time

import bencode
import libtorrent as lt
from lan import Program
from swarm import PROGRAM

OURS = os.environ.get("SWARM_DHT") or os.path.join(os.path.dirname(PROGRAM), "swarm-dht")
# What libtorrent says of an item: key, salt, number, value.
MESSAGE = re.compile(r"DHT mutable item \(key=(\w+) salt=(.*?) seq=(\d+) .*?\) \[ (.*) \]$", re.DOTALL)
SETTINGS = {
    "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False, "enable_dht": True,
    "dht_bootstrap_nodes": "", "dht_restrict_routing_ips": False, "dht_restrict_search_ips": False,
    "dht_prefer_verified_node_ids": False, "dht_enforce_node_id": False,
    "dht_ignore_dark_internet": False, "allow_multiple_connections_per_ip": True,
    # It tries uTP for three seconds before TCP.
    "enable_outgoing_utp": False,
    # All of ours have one address or few, and ask a lot: no protection against that.
    "dht_block_ratelimit": 1000, "dht_upload_rate_limit": 1000000,
    "alert_mask": lt.alert.category_t.dht_notification | lt.alert.category_t.dht_operation_notification
    | lt.alert.category_t.error_notification | lt.alert.category_t.status_notification}


class Theirs:
    """A libtorrent with its node of the DHT."""

    def __init__(self, address, port):
        self.place = (address, port)
        self.session = lt.session(SETTINGS | {"listen_interfaces": f"{address}:{port}",
                                              "outgoing_interfaces": address})

    def add(self, folder, **keywords):
        parameters = lt.add_torrent_params()
        parameters.save_path = folder
        for name, value in keywords.items():
            setattr(parameters, name, value)
        return self.session.add_torrent(parameters)

    def size(self):
        return self.session.status().dht_nodes

    def wait(self, kind, take=lambda _: True, seconds=30):
        """What `take` makes of the first alert of the class of which it makes something. Alerts are
        libtorrent's own and gone with the next call."""
        deadline = time.monotonic() + seconds
        while True:
            for each in self.session.pop_alerts():
                if isinstance(each, kind):
                    taken = take(each)
                    if taken:
                        return taken
            if time.monotonic() > deadline:
                return None
            time.sleep(0.01)

    def put(self, pair, salt, value):
        """Puts a mutable item with a text for value, the one thing that its Python can sign. The
        number is one more than that of the item which it finds. How many nodes took it."""
        self.session.dht_put_mutable_item(pair.expanded, pair.key, value, salt)
        return self.wait(lt.dht_put_alert, lambda each: each.num_success or None)

    def get(self, key, salt, least=1):
        """(number, value as libtorrent writes it) of an item with at least that number; None where
        there is none. Its Python gives texts as they are, and all else only in a message."""
        self.session.dht_get_mutable_item(key, salt)

        def take(alert):
            found = MESSAGE.match(alert.message())
            if not found or found[1] != key.hex() or found[4] == "<uninitialized>":
                return None
            return (int(found[3]), found[4]) if int(found[3]) >= least else None
        return self.wait(lt.dht_mutable_item_alert, take, 10)

    def put_immutable(self, value):
        target = self.session.dht_put_immutable_item(value)
        return self.wait(lt.dht_put_alert, lambda each: each.num_success or None) and target

    def get_immutable(self, target):
        """As libtorrent writes it."""
        self.session.dht_get_immutable_item(lt.sha1_hash(target))
        said = self.wait(lt.dht_immutable_item_alert, lambda alert: alert.message(), 10)
        return said and said.partition(" [ ")[2].removesuffix(" ]")


def written(value):
    """A value as libtorrent writes it: in the order of the DHT's keys, bytes in hexadecimal where they
    are no text."""
    def words(each):
        if isinstance(each, bytes):
            return [f"'{each.decode()}'" if each.isascii() else f"'{each.hex()}'"]
        if isinstance(each, dict):
            return ["{"] + [w for k in sorted(each) for w in words(k.encode()) + [":"] + words(each[k])
                            ] + ["}"]
        if isinstance(each, list):
            return ["["] + [word for part in each for word in words(part)] + ["]"]
        return [str(each)]
    return "".join(words(value))


def plain(text):
    """What libtorrent wrote, without its blanks and commas."""
    return re.sub(r"[ ,\n]", "", text or "")


class Ours(Program):
    """Our node alone; see swarm-dht for what it is asked."""

    def __init__(self, place, *nodes, prefix=()):
        super().__init__([*prefix, OURS, place, *nodes])
        self.place = place
        self.asked = 0

    def ask(self, *words, seconds=20):
        """The events of a command, up to its end; without one if it does not come to it."""
        self.asked += 1
        number = self.asked
        self.process.stdin.write(" ".join(map(str, words)) + "\n")

        def ends(line):
            event = json.loads(line) if line[:1] == "{" else {}
            return event.get("command") == number and event["event"] == "ended"
        self.wait(ends, seconds)
        with self.changed:
            events = [json.loads(line) for line in self.lines if line[:1] == "{"]
        return [each for each in events if each["command"] == number]

    def get(self, key, salt=b""):
        """(number, value) of the newest item; None where there is none."""
        found = [each for each in self.ask("get", key.hex(), salt.hex() or "-")
                 if each["event"] == "mutable"]
        return (found[-1]["sequence"], bytes.fromhex(found[-1]["value"])) if found else None


def wait_for(holds, seconds=20):
    """What `holds` says at last."""
    deadline = time.monotonic() + seconds
    while True:
        found = holds()
        if found or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


class KeyPair:
    """An ed25519 key pair from a seed, by libsodium."""

    sodium = ctypes.CDLL(ctypes.util.find_library("sodium") or "libsodium.so.23")

    def __init__(self, seed):
        public, secret = ctypes.create_string_buffer(32), ctypes.create_string_buffer(64)
        self.sodium.crypto_sign_seed_keypair(public, secret, seed)
        self.seed, self.key, self.secret = seed, public.raw, secret.raw
        # As libtorrent wants it: what RFC 8032 makes of the seed.
        digest = bytearray(hashlib.sha512(seed).digest())
        digest[0] &= 248
        digest[31] = digest[31] & 63 | 64
        self.expanded = bytes(digest)

    def sign(self, message):
        signature = ctypes.create_string_buffer(64)
        self.sodium.crypto_sign_detached(signature, None, message,
                                         ctypes.c_ulonglong(len(message)), self.secret)
        return signature.raw


def put_by_hand(address, places, pair, value, number, salt=b"", signature=None):
    """Asks each node by name for a token and puts a bencoded value there, as BEP 44 has it. A list of
    what each said: "taken", its error's code, or "silent"."""
    signed = (b"4:salt%d:%s" % (len(salt), salt) if salt else b"") + b"3:seqi%de1:v" % number + value
    put = {"id": os.urandom(20), "k": pair.key, "seq": number, "v": bencode.Raw(value),
           "sig": signature or pair.sign(signed)}
    if salt:
        put["salt"] = salt
    target = hashlib.sha1(pair.key + salt).digest()
    # It is read-only, BEP 43: who kept it in mind would wait for it when it is gone.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hand:
        hand.bind((address, 0))
        hand.settimeout(2)

        def ask(place, method, arguments):
            question = {"t": b"ab", "y": b"q", "q": method, "a": arguments, "ro": 1}
            hand.sendto(bencode.encode(question), place)
            while True:
                said = bencode.decode(hand.recv(4096))
                # Who is asked by somebody new asks back.
                if said[b"y"] != b"q":
                    return said
        said = []
        for place in places:
            try:
                answer = ask(place, "get", {"id": put["id"], "target": target})
                answer = ask(place, "put", put | {"token": answer[b"r"][b"token"]})
                said.append(answer[b"e"][0] if b"e" in answer else "taken")
            except (OSError, KeyError):
                said.append("silent")
        return said


def head(infohash):
    """The value of a head, for a v2 infohash of 32 bytes or a v1 one of 20. BEP 46."""
    fields = {"ih": infohash[:20]}
    if len(infohash) == 32:
        fields["ih2"] = infohash
    return bencode.encode(fields)
