"""A libtorrent that has nothing but local service discovery (BEP 14) finds us, and we find it."""
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from isolate import isolated

isolated()
import lan
from clients import PYTHONS
from report import Report

report = Report()
TORRENT = "32f17bbf96bdc77de85bb91ff8d56f124e817c0a"
ALICE = "-SW0100-alice-------".encode().hex()
# Seconds; libtorrent announces when a torrent is added, and the rest is ours.
PATIENCE = 20
SESSION = f"""
import sys, libtorrent as lt
session = lt.session({{"listen_interfaces": "{lan.address(2)}:7001", "enable_dht": False,
    "enable_lsd": True, "enable_upnp": False, "enable_natpmp": False, "out_enc_policy": 2,
    "enable_outgoing_utp": False}})
parameters = lt.parse_magnet_uri("magnet:?xt=urn:btih:{TORRENT}")
parameters.save_path = sys.argv[1]
session.add_torrent(parameters)
print("started", lt.__version__, flush=True)
sys.stdin.read()
"""
# Listens where we say that we do, and prints the infohash of the handshake that comes. BEP 3.
LISTENER = f"""
import socket
listener = socket.create_server(("{lan.address(1)}", 6001))
print("listening", flush=True)
while True:
    peer, place = listener.accept()
    head = peer.recv(68, socket.MSG_WAITALL)
    print("from", place[0], head[28:48].hex(), flush=True)
"""


def meet(version, ours_first):
    when = f"libtorrent {version}, {'we' if ours_first else 'it'} first"
    with tempfile.TemporaryDirectory(prefix="swarm-lsd-") as folder, lan.Program(
            [*lan.on(1), "/usr/bin/python3", "-c", LISTENER]) as listener:
        listener.wait(lambda line: line == "listening")
        start = [lambda: lan.Ours(1, ALICE, 6001, TORRENT, kinds="lsd"),
                 lambda: lan.Program([*lan.on(2), PYTHONS[version], "-W", "ignore", "-c", SESSION,
                                      folder])]
        with start[not ours_first]() as first:
            first.wait(lambda line: "started" in line)
            with start[ours_first]() as second:
                ours = first if ours_first else second
                if ours_first:
                    report.check(f"{when}: we find it", ours.finds(
                        TORRENT, f"{lan.address(2)}:7001", PATIENCE), first.said() + second.said())
                else:
                    wanted = f"from {lan.address(2)} {TORRENT}"
                    report.check(f"{when}: it finds us and connects", listener.wait(
                        lambda line: line == wanted, PATIENCE), listener.said() + second.said())


lan.make(2)
for each in ("2.0.8", "2.1.1"):
    for order in (True, False):
        meet(each, order)
report.finish()
