"""python zeroconf finds and resolves us, we find what it registers, a conflict is resolved, goodbyes
are honoured both ways."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from isolate import isolated

isolated()
import lan
from report import Report

report = Report()
TORRENT = "32f17bbf96bdc77de85bb91ff8d56f124e817c0a"
ALICE, BOB = (name.encode().hex() for name in ("-SW0100-alice-------", "-SW0100-bob---------"))
PEER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib/zeroconf_peer.py")


def theirs(*words):
    return lan.Program([*lan.on(2), lan.ZEROCONF_PYTHON, "-W", "ignore", PEER, *map(str, words)])


lan.make(2)
with theirs("browse", TORRENT) as browser:
    report.check("zeroconf starts", browser.wait(lambda line: line == "ready"), browser.said())
    with lan.Ours(1, ALICE, 6001, TORRENT) as ours:
        wanted = f"found {ALICE} {lan.address(1)} 6001"
        report.check("zeroconf finds and resolves us", browser.wait(lambda line: line == wanted),
                     browser.said() + ours.said())
        report.check("we end well", ours.stop(), ours.said())
    report.check("zeroconf honours our goodbye",
                 browser.wait(lambda line: line == f"lost {ALICE}", 5), browser.said())

with lan.Ours(1, ALICE, 6001, TORRENT, kinds="mdns") as ours:
    with theirs("register", TORRENT, BOB, lan.address(2), 7001) as other:
        report.check("we find what zeroconf registers",
                     ours.finds(TORRENT, f"{lan.address(2)}:7001", 15), ours.said() + other.said())
    time.sleep(1)

with theirs("register", TORRENT, ALICE, lan.address(2), 7002) as other:
    report.check("zeroconf has the name", other.wait(lambda line: line.startswith("registered"), 15),
                 other.said())
    with lan.Ours(1, ALICE, 6001, TORRENT, kinds="mdns") as ours:
        report.check("we take another name than zeroconf's",
                     ours.wait(lambda line: f"{ALICE} (2)" in line), ours.said())
with lan.Ours(1, BOB, 6001, TORRENT, kinds="mdns") as ours:
    time.sleep(3)
    with theirs("register", TORRENT, BOB, lan.address(2), 7003) as other:
        report.check("zeroconf is told that the name is ours",
                     other.wait(lambda line: "NonUniqueName" in line, 15), other.said())
report.finish()
