"""A stock libtorrent with nothing but a link and a node of the DHT: fetches, says "finished", and shares until
it is stopped.

    stock.py LINK FOLDER NODE     NODE is ADDRESS:PORT
"""
import sys
import time

import libtorrent as lt

link, folder, node = sys.argv[1:]
session = lt.session({
    "listen_interfaces": "0.0.0.0:6881", "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False,
    # A DHT in which all nodes are of one network.
    "dht_bootstrap_nodes": node, "dht_restrict_routing_ips": False, "dht_restrict_search_ips": False,
    "dht_prefer_verified_node_ids": False, "dht_enforce_node_id": False})
parameters = lt.parse_magnet_uri(link)
parameters.save_path = folder
torrent = session.add_torrent(parameters)
said = False
while True:
    status = torrent.status()
    if status.is_seeding and not said:
        torrent.flush_cache()
        print("finished", flush=True)
        said = True
    time.sleep(0.1)
