"""libtorrents that take part in a private DHT, in a process of their own, for any version of it.

lt_dht.py BOOTSTRAP LISTEN…, all "address:port", BOOTSTRAP "-" for none. Does what the lines of standard
input say, JSON objects with "do", and prints one for each:

  nodes            how many nodes each of them knows
  know             tells each of them of nodes at "places"
  seed             announces each .torrent of "torrents", content in "folder"
  put              a mutable item of a new key: "key", and seconds until that is over
  get              that of "key": seconds until the first value, and until it is over
  join             starts another one at "listen" that takes part in "link" in "folder": seconds until
                   the first peer is connected

Ends with standard input.
"""
import ctypes
import hashlib
import json
import os
import sys
import time

import libtorrent as lt

PATIENCE = 90


def say(**fields):
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


def place(text):
    address, port = text.rsplit(":", 1)
    return address, int(port)


def session(listen, bootstrap):
    return lt.session({
        "listen_interfaces": listen, "outgoing_interfaces": place(listen)[0], "enable_lsd": False,
        "enable_upnp": False, "enable_natpmp": False, "enable_dht": True,
        "dht_bootstrap_nodes": bootstrap, "dht_restrict_routing_ips": False,
        "dht_restrict_search_ips": False, "dht_prefer_verified_node_ids": False,
        "dht_enforce_node_id": False, "dht_ignore_dark_internet": False,
        # A bench asks more than people do; nodes that fall silent at that would be what is measured.
        "dht_upload_rate_limit": 1 << 20, "dht_block_ratelimit": 1000,
        "allow_multiple_connections_per_ip": True,
        "alert_mask": lt.alert.category_t.all_categories})


def wait(one, kind, holds=lambda _: True, seconds=PATIENCE):
    """What `holds` makes of the first alert of the class of which it makes something; else None."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        one.wait_for_alert(100)
        for alert in one.pop_alerts():
            if type(alert).__name__ == kind:
                found = holds(alert)
                if found:
                    return found
    return None


def key_pair():
    """Secret and key as libtorrent has them: the secret is the hash of the seed (RFC 8032, 5.1.5)."""
    sodium = ctypes.CDLL("libsodium.so.23")
    seed = os.urandom(32)
    public, secret = ctypes.create_string_buffer(32), ctypes.create_string_buffer(64)
    sodium.crypto_sign_ed25519_seed_keypair(public, secret, seed)
    digest = bytearray(hashlib.sha512(seed).digest())
    digest[0] &= 248
    digest[31] = digest[31] & 63 | 64
    return bytes(digest), public.raw


def know(sessions, order):
    """A network where nobody knows anybody takes minutes to form."""
    for one in sessions:
        for each in order["places"]:
            one.add_dht_node(place(each))
    return {}


def put(one, _):
    secret, key = key_pair()
    one.pop_alerts()
    started = time.monotonic()
    one.dht_put_mutable_item(secret, key, b"Hello World!", b"")
    stored = wait(one, "dht_put_alert", lambda alert: (alert.num_success,))
    return {"key": key.hex(), "all": time.monotonic() - started if stored else None,
            "stored": stored[0] if stored else 0}


def get(one, order):
    one.pop_alerts()
    started = time.monotonic()
    one.dht_get_mutable_item(bytes.fromhex(order["key"]), b"")
    times = {}

    def look(alert):
        if b"Hello World!" in str(alert.message()).encode("latin-1", "replace"):
            times.setdefault("first", time.monotonic() - started)
        return alert.authoritative
    over = wait(one, "dht_mutable_item_alert", look)
    return {"first": times.get("first"), "all": time.monotonic() - started if over else None}


def seed(one, order):
    for each in order["torrents"]:
        parameters = lt.add_torrent_params()
        parameters.ti = lt.torrent_info(each)
        parameters.save_path = order["folder"]
        parameters.flags |= lt.torrent_flags.seed_mode
        parameters.flags &= ~lt.torrent_flags.auto_managed
        parameters.flags &= ~lt.torrent_flags.paused
        handle = one.add_torrent(parameters)
        one.pop_alerts()
        handle.force_dht_announce()
        wait(one, "dht_reply_alert", seconds=1)
    return {}


def join(sessions, bootstrap, order):
    parameters = lt.parse_magnet_uri(order["link"])
    parameters.save_path = order["folder"]
    started = time.monotonic()
    one = session(order["listen"], bootstrap)
    sessions.append(one)
    one.add_torrent(parameters)
    times = {}

    def look(alert):
        name = type(alert).__name__
        if name not in times:
            times[name] = time.monotonic() - started
        return name == "peer_connect_alert"
    deadline = started + PATIENCE
    while "peer_connect_alert" not in times and time.monotonic() < deadline:
        one.wait_for_alert(100)
        for alert in one.pop_alerts():
            look(alert)
    return {"up": times.get("dht_bootstrap_alert"), "first": times.get("peer_connect_alert")}


def main():
    bootstrap = "" if sys.argv[1] == "-" else sys.argv[1]
    sessions = [session(each, bootstrap) for each in sys.argv[2:]]
    say(event="ready", version=lt.__version__)
    for line in sys.stdin:
        order = json.loads(line)
        what = order["do"]
        if what == "nodes":
            answer = {"count": min(each.status().dht_nodes for each in sessions)}
        elif what == "know":
            answer = know(sessions, order)
        elif what == "join":
            answer = join(sessions, bootstrap, order)
        else:
            answer = {"put": put, "get": get, "seed": seed}[what](sessions[0], order)
        say(event="done", **answer)
    os._exit(0)  # Closing them takes seconds.


main()
