"""A private DHT of libtorrents and ours: a magnet link with nothing but an infohash finds its peers in
both directions, and what one puts the other reads."""
import os
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from isolate import isolated

isolated()
import contents
import libtorrent as lt
import node
import swarm
from report import Report

report = Report()
NODES = 8
PATIENCE = 60
OURS = [f"10.99.0.{number}:6900" for number in (20, 21, 22)]


class Theirs:
    """A libtorrent with its node of the DHT."""

    def __init__(self, number):
        self.place = ("10.99.0.%d" % number, 6800 + number)
        self.session = lt.session({
            "listen_interfaces": "%s:%d" % self.place, "enable_lsd": False, "enable_upnp": False,
            "enable_natpmp": False, "enable_dht": True, "dht_bootstrap_nodes": "",
            "dht_restrict_routing_ips": False, "dht_restrict_search_ips": False,
            "dht_prefer_verified_node_ids": False, "dht_announce_interval": 60,
            "allow_multiple_connections_per_ip": True,
            "alert_mask": lt.alert.category_t.all_categories})
        self.alerts = []

    def add(self, folder, **keywords):
        parameters = lt.add_torrent_params()
        parameters.save_path = folder
        for name, value in keywords.items():
            setattr(parameters, name, value)
        return self.session.add_torrent(parameters)

    def wait(self, kind, where=lambda _: True, seconds=PATIENCE):
        """The first alert of the class for which `where` holds, from now on or before."""
        deadline = time.monotonic() + seconds
        while True:
            self.alerts += self.session.pop_alerts()
            for each in self.alerts:
                if isinstance(each, kind) and where(each):
                    return each
            if time.monotonic() > deadline:
                return None
            time.sleep(0.05)


def dht_size(session):
    return session.status().dht_nodes


def network():
    """libtorrents that know each other."""
    nodes = [Theirs(number + 1) for number in range(NODES)]
    for each in nodes[1:]:
        each.session.add_dht_node(nodes[0].place)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if all(dht_size(each.session) >= 3 for each in nodes):
            break
        time.sleep(0.2)
    report.check("libtorrent: its own DHT forms", all(dht_size(n.session) >= 2 for n in nodes),
                 str([dht_size(n.session) for n in nodes]))
    return nodes


def options(theirs):
    return ["--dht-node", "%s:%d" % theirs[0].place, "--no-lan", "--no-mapping"]


def magnet_of(infohash):
    return f"magnet:?xt=urn:btmh:1220{infohash}"


def ours_finds_theirs(theirs, torrent, infohash, data, scratch):
    """libtorrent announces; ours knows the infohash alone."""
    handle = theirs[3].add(data, ti=lt.torrent_info(torrent))
    theirs[3].wait(lt.dht_reply_alert, seconds=5)
    handle.force_dht_announce()
    time.sleep(1)
    target = os.path.join(scratch, "down1")
    with node.join(magnet_of(infohash), target, os.path.join(scratch, "j1"), OURS[0],
                   *options(theirs), "--once") as join:
        found = node.finished(join, PATIENCE)
        report.check("ours finds theirs by infohash alone", found, join.said())
        if found:
            event = join.wait("finished")
            report.note(f"found and fetched after {event['seconds']:.2f} s")
        join.end()
    if found:
        wrong = contents.difference_soon(os.path.join(data, "data"), os.path.join(target, "data"))
        report.check("ours finds theirs: bytes", not wrong, wrong)
    theirs[3].session.remove_torrent(handle)


def theirs_finds_ours(theirs, torrent, infohash, data, scratch):
    """Ours announces; libtorrent knows the infohash alone."""
    with node.seed(torrent, os.path.join(scratch, "s2"), OURS[1], "--data", data,
                   *options(theirs)) as seed:
        report.check("ours seeds", node.listening(seed) and node.is_whole(seed), seed.said())
        time.sleep(2)
        target = os.path.join(scratch, "down2")
        os.mkdir(target)
        parameters = lt.parse_magnet_uri(magnet_of(infohash))
        parameters.save_path = target
        handle = theirs[5].session.add_torrent(parameters)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and not handle.status().is_seeding:
            time.sleep(0.1)
        found = handle.status().is_seeding
        report.check("theirs finds ours by infohash alone", found, seed.said())
        if found:
            wrong = contents.difference_soon(
                os.path.join(data, "data"), os.path.join(target, "data"))
            report.check("theirs finds ours: bytes", not wrong, wrong)
        theirs[5].session.remove_torrent(handle)
        report.equal("a seed stops cleanly", seed.stop(), 0)


def theirs_reads_our_head(theirs, data, scratch):
    """The head of a dataset of ours is a mutable item that libtorrent reads and verifies."""
    with node.seed(os.path.join(data, "data"), os.path.join(scratch, "s3"), OURS[2],
                   *options(theirs)) as seed:
        started = seed.wait("started", PATIENCE)
        key = (started or {}).get("dataset_key")
        if not report.check("a seed tells its key", key is not None, seed.said()):
            return
        found = None
        deadline = time.monotonic() + PATIENCE
        while found is None and time.monotonic() < deadline:
            theirs[6].session.dht_get_mutable_item(bytes.fromhex(key).decode("latin-1"), "")
            found = theirs[6].wait(
                lt.dht_mutable_item_alert, lambda alert: alert.item["value"], 3)
        if report.check("theirs reads our head", found is not None, seed.said()):
            report.equal("its number is the version's", found.item["seq"], 1)
            report.check("it names the infohash",
                         bytes(found.item["value"][b"ih2"]).hex() == started["infohash_v2"],
                         repr(found.item["value"]))
        seed.stop()


def main():
    with tempfile.TemporaryDirectory(prefix="swarm-dht-") as scratch:
        data = os.path.join(scratch, "source")
        os.makedirs(os.path.join(data, "data"))
        for name in ("a", "b"):
            with open(os.path.join(data, "data", name), "wb") as file:
                file.write(os.urandom(3 << 20))
        torrent = os.path.join(scratch, "t.torrent")
        answer, _ = swarm.run_json("create", os.path.join(data, "data"), "-o", torrent)
        theirs = network()
        ours_finds_theirs(theirs, torrent, answer["infohash_v2"], data, scratch)
        theirs_finds_ours(theirs, torrent, answer["infohash_v2"], data, scratch)
        theirs_reads_our_head(theirs, data, scratch)
    report.finish()


main()
