"""A private DHT of libtorrents and ours: a link with nothing but an infohash finds its peers in both
directions, what one puts the other reads and verifies, with and without salt, and a dataset that somebody
published without any of our programs is followed. SWARM_DHT is our node alone; without it that of
the release build."""
import hashlib
import os
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from isolate import isolated

isolated()
import bencode
import contents
import dht_nodes
import libtorrent as lt
import node
import swarm
from dht_nodes import KeyPair, Ours, Theirs, head, put_by_hand, wait_for
from report import Report

report = Report()
NODES = 8
PATIENCE = 30
HAND = "10.99.0.31"
ports = iter(range(6900, 6999))


def place(number):
    """An address and port that nobody had before."""
    return f"10.99.0.{number}:{next(ports)}"


class Network:
    """libtorrents and nodes of ours that know each other."""

    def __init__(self):
        self.theirs = [Theirs(f"10.99.0.{number + 1}", 6800 + number) for number in range(NODES)]
        self.first = "%s:%d" % self.theirs[0].place
        self.ours = [Ours(f"10.99.0.{number}:6880", self.first) for number in (11, 12)]
        for each in self.theirs:
            for other in self.theirs:
                if other is not each:
                    each.session.add_dht_node(other.place)
        formed = wait_for(lambda: all(each.size() >= 3 for each in self.theirs) and all(
            self.nodes(each) >= 3 for each in self.ours))
        report.check("a DHT of theirs and ours forms", formed,
                     f"{[each.size() for each in self.theirs]}, {[self.nodes(o) for o in self.ours]}, "
                     + self.ours[0].said())
        self.places = [each.place for each in self.theirs]
        self.options = ["--dht-node", self.first, "--no-lan", "--no-mapping"]

    @staticmethod
    def nodes(ours):
        said = ours.ask("status")
        return said[0]["nodes"] if said else 0


def same(name, source, target):
    wrong = contents.difference_soon(os.path.join(source, "data"), os.path.join(target, "data"))
    report.check(f"{name}: bytes", not wrong, wrong)


def links(answer):
    """Links with one infohash and nothing else."""
    found = {}
    if answer["infohash_v2"]:
        found["v2"] = f"magnet:?xt=urn:btmh:1220{answer['infohash_v2']}"
    if answer["infohash_v1"]:
        found["v1"] = f"magnet:?xt=urn:btih:{answer['infohash_v1']}"
    return found


def ours_finds_theirs(net, kind, torrent, answer, data, scratch):
    """libtorrent announces; ours knows an infohash alone."""
    theirs = net.theirs[3]
    handle = theirs.add(data, ti=lt.torrent_info(torrent))
    at = "%s:%d" % theirs.place

    def announced(infohash):
        return not infohash or any(
            at in each.get("peers", ()) for each in net.ours[1].ask("peers", infohash[:40]))
    report.check(f"{kind}: ours find theirs' announcements", wait_for(lambda: all(
        announced(answer["infohash_" + each]) for each in ("v1", "v2"))))
    for which, link in links(answer).items():
        name = f"ours finds theirs, {kind} by {which}"
        target = os.path.join(scratch, name)
        with node.join(link, target, target + " state", place(20), *net.options, "--once") as join:
            event = join.wait("finished", PATIENCE)
            report.check(name, event, join.said())
            if event:
                report.note(f"{name}: fetched after {event['seconds']:.2f} s")
                same(name, data, target)
            join.end()
    theirs.session.remove_torrent(handle)


def theirs_finds_ours(net, kind, torrent, answer, data, scratch):
    """Ours announces; libtorrent knows an infohash alone."""
    state = os.path.join(scratch, kind + " seed")
    with node.seed(torrent, state, place(21), "--data", data, *net.options) as seed:
        report.check(f"{kind}: ours seeds", node.listening(seed) and node.is_whole(seed), seed.said())
        for number, (which, link) in enumerate(links(answer).items()):
            name = f"theirs finds ours, {kind} by {which}"
            started = time.monotonic()
            theirs, target = net.theirs[5 + number], os.path.join(scratch, name)
            os.mkdir(target)
            parameters = lt.parse_magnet_uri(link)
            parameters.save_path = target
            handle = theirs.session.add_torrent(parameters)

            def asked():
                # It asks the DHT when it is added, and then not for a minute.
                handle.force_dht_announce()
                return wait_for(lambda: handle.status().is_seeding, 1)
            if report.check(name, wait_for(asked, PATIENCE), seed.said()):
                report.note(f"{name}: fetched after {time.monotonic() - started:.2f} s")
                same(name, data, target)
            theirs.session.remove_torrent(handle)
        report.equal(f"{kind}: a seed stops cleanly", seed.stop(), 0)


def peers_by_message(net):
    """What we announce is on their nodes; that theirs is on ours, see below."""
    first = os.urandom(20)
    said = net.ours[0].ask("peers", first.hex(), 7101)
    report.check("theirs take our announcement", said and said[-1].get("stored", 0) > 3, said)

    def found():
        net.theirs[2].session.dht_get_peers(lt.sha1_hash(first))
        return net.theirs[2].wait(lt.dht_get_peers_reply_alert,
                                  lambda each: ("10.99.0.11", 7101) in each.peers(), 2)
    report.check("theirs find the peer", wait_for(found))


def read(theirs, pair, salt, number):
    """The value of that number as libtorrent reads it; None where it finds none."""
    found = theirs.get(pair.key, salt, number)
    return dht_nodes.plain(found[1]) if found and found[0] == number else found


def values(net):
    """Mutable items, with and without salt, put by each and read by the other; numbers never go back."""
    for name, salt in (("without salt", b""), ("with salt", b"a salt")):
        theirs, ours = KeyPair(os.urandom(32)), KeyPair(os.urandom(32))
        text = b"by libtorrent, " + name.encode()
        report.check(f"{name}: theirs put", net.theirs[1].put(theirs, salt, text))
        report.equal(f"{name}: ours read theirs", net.ours[0].get(theirs.key, salt),
                     (1, bencode.encode(text)))
        report.check(f"{name}: theirs put again", net.theirs[2].put(theirs, salt, text * 2))
        report.equal(f"{name}: ours read the newer", net.ours[1].get(theirs.key, salt),
                     (2, bencode.encode(text * 2)))
        content = {"ih": b"\xfe" * 20, "list": [1, b"two", {"x": -3}]}
        value = bencode.encode(content)
        salted = salt.hex() or "-"

        def put(number, *cas, pair=ours, what=value):
            said = net.ours[0].ask("put", pair.seed.hex(), salted, number, what.hex(), *cas)
            return said[-1] if said else {}
        said = put(7)
        report.check(f"{name}: ours put", said.get("stored", 0) > 3, said)
        report.equal(f"{name}: theirs read ours", read(net.theirs[6], ours, salt, 7),
                     dht_nodes.written(content))
        said = put(6)
        report.check(f"{name}: an older one is not put", said.get("stored") == 0
                     and "302" in said.get("errors", {}), said)
        said = put(9, 8)
        report.check(f"{name}: nor one whose cas differs", said.get("stored") == 0
                     and "301" in said.get("errors", {}), said)
        report.check(f"{name}: with the right cas it is", put(9, 7).get("stored", 0) > 3)
        report.equal(f"{name}: theirs read number 9", read(net.theirs[7], ours, salt, 9),
                     dht_nodes.written(content))
        # One that libtorrent signs, which ours hold, is put again by ours with a higher number.
        report.check(f"{name}: ours put in place of theirs",
                     put(3, pair=theirs, what=b"5:third").get("stored", 0) > 3)
        report.equal(f"{name}: theirs read it", read(net.theirs[3], theirs, salt, 3), "'third'")
    pair = KeyPair(os.urandom(32))
    report.equal("the other salt has nothing", net.ours[0].get(pair.key, b"other"), None)


def by_hand(net):
    """Our node says to a put what BEP 44 says, like theirs."""
    pair, salt = KeyPair(os.urandom(32)), b"hand"
    both = [net.theirs[1].place, ("10.99.0.11", 6880)]
    for name, said, words in (
            ("a value", "taken", {"number": 5}), ("the same again", "taken", {"number": 5}),
            ("another of that number", 302, {"number": 5, "value": b"5:other"}),
            ("an older one", 302, {"number": 4}),
            ("a signature that is wrong", 206, {"number": 6, "signature": b"x" * 64}),
            ("one that is too long", 205, {"number": 6, "value": b"997:" + b"x" * 997}),
            ("the longest", "taken", {"number": 6, "value": b"996:" + b"x" * 996}),
            ("a salt that is too long", 207, {"number": 1, "salt": b"s" * 65})):
        answers = put_by_hand(HAND, both, pair, **({"value": b"4:hand", "salt": salt} | words))
        report.equal(f"put by hand, {name}: ours as BEP 44", answers[1], said)
        if answers[0] != said:
            report.note(f"put by hand, {name}: libtorrent says {answers[0]}")


def immutable_values(net):
    text = os.urandom(40)
    target = net.theirs[1].put_immutable(text)
    report.check("theirs put an immutable value", target is not None)
    said = net.ours[0].ask("get-immutable", hashlib.sha1(bencode.encode(text)).hexdigest())
    report.equal("ours read it", [each["value"] for each in said if each["event"] == "immutable"],
                 [bencode.encode(text).hex()])
    content = {"a": [1, 2], "b": os.urandom(30)}
    value = bencode.encode(content)
    said = net.ours[1].ask("put-immutable", value.hex())
    report.check("ours put one", said and said[-1].get("stored", 0) > 3, said)
    report.equal("theirs read it", dht_nodes.plain(
        net.theirs[6].get_immutable(hashlib.sha1(value).digest())), dht_nodes.written(content))


def theirs_reads_our_head(net, data, scratch):
    """The head of a dataset of ours is a mutable item that libtorrent reads and verifies; when its
    publisher is gone, libtorrents alone have it, and who knows the key finds it."""
    state, target = os.path.join(scratch, "s3"), os.path.join(scratch, "by key")
    with node.seed(os.path.join(data, "data"), state, place(22), *net.options) as seed:
        started = seed.wait("started", PATIENCE)
        key = (started or {}).get("dataset_key")
        if not report.check("a seed tells its key", key is not None, seed.said()):
            return
        found = wait_for(lambda: net.theirs[6].get(bytes.fromhex(key), b""))
        if report.check("theirs reads our head", found, seed.said()):
            report.equal("its number is the version's", found[0], 1)
            infohash = bytes.fromhex(started["infohash_v2"])
            report.equal("it names the infohash", dht_nodes.plain(found[1]),
                         dht_nodes.written({"ih": infohash[:20], "ih2": infohash}))
        seed.stop()
    # The data from libtorrent, the head from libtorrents.
    torrent = os.path.join(scratch, "by key.torrent")
    with open(f"{state}/datasets/{started['infohash_v2']}/versions/1.torrent", "rb") as file:
        made = file.read()
    with open(torrent, "wb") as file:
        file.write(made)
    handle = net.theirs[4].add(data, ti=lt.torrent_info(torrent))
    with node.join(key, target, target + " state", place(23), *net.options, "--once") as join:
        event = join.wait("finished", PATIENCE)
        if report.check("by key alone, from libtorrents alone", event, join.said()):
            report.note(f"by key alone, from libtorrents alone: {event['seconds']:.2f} s")
            # A folder with a number for each version.
            wrong = contents.difference_soon(os.path.join(data, "data"),
                                             os.path.join(target, "data@1"))
            report.check("by key: bytes", not wrong, wrong)
        join.end()
    net.theirs[4].session.remove_torrent(handle)


def published_by_others(net, kind, infohash, torrent, data, scratch, salt=b""):
    """A dataset that somebody else's program signed, as BEP 46 has it: v1 by "ih" alone."""
    name = f"somebody else's dataset, {kind}" + (", with salt" if salt else "")
    pair, target = KeyPair(os.urandom(32)), os.path.join(scratch, name)
    places = [each.place for each in net.theirs]
    report.equal(f"{name}: put", put_by_hand(HAND, places, pair, head(infohash), 1, salt),
                 ["taken"] * NODES)
    handle = net.theirs[3].add(data, ti=lt.torrent_info(torrent))
    link = f"magnet:?xs=urn:btpk:{pair.key.hex()}" + (f"&s={salt.hex()}" if salt else "")
    with node.join(link, target, target + " state", place(24), *net.options, "--once") as join:
        event = join.wait("finished", PATIENCE)
        if report.check(name, event, join.said()):
            wrong = contents.difference_soon(os.path.join(data, "data"), os.path.join(target, "data@1"))
            report.check(f"{name}: bytes", not wrong, f"{wrong} {os.listdir(target)}")
        join.end()
    net.theirs[3].session.remove_torrent(handle)


def main():
    with tempfile.TemporaryDirectory(prefix="swarm-dht-") as scratch:
        data = os.path.join(scratch, "source")
        os.makedirs(os.path.join(data, "data"))
        for name in ("a", "b"):
            with open(os.path.join(data, "data", name), "wb") as file:
                file.write(os.urandom(1 << 20))
        net = Network()
        peers_by_message(net)
        values(net)
        by_hand(net)
        immutable_values(net)
        made = {}
        for kind in ("v2", "v1", "hybrid"):
            torrent = os.path.join(scratch, kind + ".torrent")
            answer, _ = swarm.run_json("create", os.path.join(data, "data"), "-o", torrent,
                                       "--format", kind)
            made[kind] = (torrent, answer)
            ours_finds_theirs(net, kind, torrent, answer, data, scratch)
            theirs_finds_ours(net, kind, torrent, answer, data, scratch)
        theirs_reads_our_head(net, data, scratch)
        for kind, salt in (("v2", b""), ("v2", b"a salt"), ("v1", b"")):
            infohash = bytes.fromhex(made[kind][1]["infohash_" + kind])
            published_by_others(net, kind, infohash, made[kind][0], data, scratch, salt)
        for each in net.ours:
            said = each.ask("status")
            report.check("nothing that came was malformed", said and said[0]["malformed"] == 0, said)
            each.process.stdin.close()
            report.equal("ours ends well", each.process.wait(5), 0)
    report.finish()


if report.check("there is a program", os.access(dht_nodes.OURS, os.X_OK),
                f"none at {dht_nodes.OURS}: make interop builds it"):
    main()
report.finish()
