"""Magnet links: those that we print mean the same to libtorrent, those that libtorrent prints mean the
same to us, and so do links as people pass them on.

Where libtorrent 2.0.8 differs, and the links here keep out of it: it knows `xt`, `urn:btih:` and `so`
only in small letters; `+` in `tr` is a space to it; in `x.pe` it takes addresses alone, without escapes;
large numbers in `so` it leaves out; and of two infohashes of one kind it takes the last, where we see a
mistake.
"""
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import libtorrent

import swarm
import trees
from report import Report

report = Report()
V1 = "000102030405060708090a0b0c0d0e0f10111213"
V2 = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
TRACKERS = ["http://tracker.example/announce?key=a&b=c%20d", "udp://tracker.example:80/x+y",
            "https://[2001:db8::1]:443/\u00fc"]
WEB_SEEDS = ["http://seed.example/a%20b/?c=d&e=f", "http://seed.example/x+y/"]
NAMES = ["plain", "a b&c=d+e%20#f;g?h", "gr\u00fc\u00df \u4e2d\u6587 \U0001f600", "per%cent", "back\\slash", "'\"<>"]

LINKS = [
    f"magnet:?xt=urn:btih:{V1}",
    f"magnet:?xt=urn:btih:{V1.upper()}&dn=upper",
    "magnet:?xt=urn:btih:AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQT",
    "magnet:?xt=urn:btih:aaaqeayeaudaocajbifqydiob4ibceqt",
    f"magnet:?xt=urn:btmh:1220{V2}",
    f"magnet:?xt=urn:btmh:1220{V2.upper()}&xt=urn:btih:{V1}",
    f"magnet:?xt.1=urn:btih:{V1}&xt.2=urn:btmh:1220{V2}",
    f"magnet:?xt=urn%3Abtih%3A{V1}",
    f"magnet:?dn=first&xt=urn:btih:{V1}",
    f"magnet:?xt=urn:btih:{V1}&xt=urn:sha1:ABC&kt=x&xl=5&unknown",
    f"magnet:?xt=urn:btih:{V1}&dn=a+b%20c%2Bd&dn=last",
    f"magnet:?xt=urn:btih:{V1}&dn=a+b%20c%2Bd%26e%C3%BC",
    f"magnet:?xt=urn:btih:{V1}&tr=http%3A%2F%2Ft.example%2Fa%3Fb%3Dc%26d%2520e%2Bf&tr=udp://t.example:1",
    f"magnet:?xt=urn:btih:{V1}&tr.1=http://a.example/&tr.2=http://b.example/&tr=",
    f"magnet:?xt=urn:btih:{V1}&ws=http%3A%2F%2Fw.example%2Fa%2520b&ws=http://w.example/",
    f"magnet:?xt=urn:btih:{V1}&x.pe=192.0.2.1:6881&x.pe=[2001:db8::1]:80",
    f"magnet:?xt=urn:btih:{V1}&so=0,2,4,6-8",
    f"magnet:?xt=urn:btih:{V1}&so=5,1&so=3-3",
]

BAD = [
    f"magnet:?xt=urn:btih:{V1[1:]}", f"magnet:?xt=urn:btih:{V1}0", f"magnet:?xt=urn:btmh:1220{V2[1:]}",
    f"magnet:xt=urn:btih:{V1}", f" magnet:?xt=urn:btih:{V1}", f"magnet:?xt=urn:btih:{V1} ",
    f"magnet:?xt=urn:btih:{V1}#x", "magnet:?dn=x", "magnet:?",
]


def theirs(link):
    """What libtorrent reads in a link."""
    found = libtorrent.parse_magnet_uri(link)
    both = found.info_hashes
    return {
        "infohash_v1": str(both.v1) if both.has_v1() else None,
        "infohash_v2": str(both.v2) if both.has_v2() else None,
        "name": found.name or None,
        "trackers": list(found.trackers), "web_seeds": list(found.url_seeds),
        "peers": [(f"[{host}]" if ":" in host else host) + f":{port}" for host, port in found.peers],
        "selection": [number for number, wanted in enumerate(found.file_priorities) if wanted] or None,
    }


def ours(link):
    """What our program reads in a link."""
    answer, _ = swarm.run_json("inspect", link)
    if answer["name"] is not None:
        answer["name"] = swarm.name_bytes(answer["name"]).decode()
    if answer["selection"] is not None:
        ends = [list(map(int, each.split("-"))) for each in answer["selection"].split(",")]
        answer["selection"] = [number for each in ends for number in range(each[0], each[-1] + 1)]
    return {key: answer[key] for key in theirs(f"magnet:?xt=urn:btih:{V1}")}


def compare(name, link, expected):
    """Whether both programs read `expected` in a link."""
    report.equal(f"{name}: in libtorrent: {link}", expected, theirs(link))
    report.equal(f"{name}: in ours: {link}", ours(link), expected)


def link_of(path, kind, name):
    """The link that our program prints for a torrent of `path`, and what it should mean."""
    options = [option for url in TRACKERS for option in ("--tracker", url)]
    options += [option for url in WEB_SEEDS for option in ("--web-seed", url)]
    answer, _ = swarm.run_json("create", path, "-o", path + ".torrent", "--format", kind, "--name", name,
                               *options)
    return answer["magnet"], {
        "infohash_v1": answer["infohash_v1"], "infohash_v2": answer["infohash_v2"], "name": name,
        "trackers": TRACKERS, "web_seeds": WEB_SEEDS, "peers": [], "selection": None}


with tempfile.TemporaryDirectory(prefix="swarm-interop-") as scratch:
    for kind in ("v1", "v2", "hybrid"):
        for number, name in enumerate(NAMES):
            path = os.path.join(scratch, f"{kind}{number}")
            os.mkdir(path)
            trees.write(path, "file", b"data")
            link, meaning = link_of(path, kind, name)
            report.check(f"printed for {kind}, {name}: ASCII", link.isascii() and " " not in link, link)
            compare(f"printed for {kind}", link, meaning)
            # libtorrent prints what it has read, and we read that.
            again = libtorrent.make_magnet_uri(libtorrent.parse_magnet_uri(link))
            report.equal(f"printed by libtorrent: {again}", ours(again), meaning)
            with open(path + ".torrent", "rb") as file:
                info = libtorrent.torrent_info(libtorrent.bdecode(file.read()))
            from_torrent = ours(libtorrent.make_magnet_uri(info))
            report.equal(f"printed by libtorrent for our {kind}, {name}",
                         (from_torrent["infohash_v1"], from_torrent["infohash_v2"]),
                         (meaning["infohash_v1"], meaning["infohash_v2"]))

for link in LINKS:
    meaning = theirs(link)
    report.equal(f"as passed on: {link}", ours(link), meaning)
    again = libtorrent.make_magnet_uri(libtorrent.parse_magnet_uri(link))
    report.equal(f"printed by libtorrent: {again}", ours(again), theirs(again))
for link in BAD:
    try:
        report.check(f"refused by libtorrent: {link}", False, str(theirs(link)))
    except RuntimeError:
        if link == link.strip():
            report.check(f"refused by ours: {link}", swarm.run("inspect", link).returncode != 0)
        else:
            # Blanks around it come from copying; ours leaves them out.
            report.equal(f"without blanks: {link!r}", ours(link), theirs(link.strip()))
report.finish()
