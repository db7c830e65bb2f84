"""libtorrent in a process of its own, for any version of it.

lt_peer.py JSON, an object with: listen ("address:port"), folder, torrent (path) or link; may have
seed_mode, peers (list of "address:port"), download_limit, upload_limit (bytes a second), plain (TCP
without encryption only) or rc4 (TCP with encryption only; else a stock client). Prints JSON lines: {"event": "started"} when it
listens, {"event": "verified"} when libtorrent says so, {"event": "finished"} when all is written too,
and an answer to each line of standard input. Ends with standard input, having let go of the files.
"""
import json
import os
import sys
import threading
import time

import libtorrent as lt

# Seconds. A stock client tries uTP for 3, then encryption, then neither; told of a peer again, it
# begins anew.
PAUSE = 12
# Seconds between two attempts to listen.
BIND_PAUSE = 0.25


def say(**fields):
    # One write, since two threads speak.
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


def settings(options):
    address = options["listen"].rsplit(":", 1)[0]
    chosen = {
        "listen_interfaces": options["listen"], "outgoing_interfaces": address,
        # That port or none: who is to meet it knows no other.
        "max_retry_port_bind": 0,
        "enable_dht": False, "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False,
        "allow_multiple_connections_per_ip": True,
        "alert_mask": lt.alert.category_t.status_notification
        | lt.alert.category_t.error_notification | lt.alert.category_t.storage_notification,
    }
    if options.get("plain"):
        chosen |= {"enable_outgoing_utp": False, "enable_incoming_utp": False,
                   "out_enc_policy": 2, "in_enc_policy": 2}
    if options.get("rc4"):
        chosen |= {"enable_outgoing_utp": False, "enable_incoming_utp": False, "out_enc_policy": 0,
                   "in_enc_policy": 0, "allowed_enc_level": 2, "prefer_rc4": True}
    return chosen


def parameters(options):
    if "link" in options:
        chosen = lt.parse_magnet_uri(options["link"])
    else:
        chosen = lt.add_torrent_params()
        chosen.ti = lt.torrent_info(options["torrent"])
    chosen.save_path = options["folder"]
    if options.get("seed_mode"):
        chosen.flags |= lt.torrent_flags.seed_mode
    chosen.flags &= ~lt.torrent_flags.auto_managed
    chosen.flags &= ~lt.torrent_flags.paused
    chosen.download_limit = options.get("download_limit", -1)
    chosen.upload_limit = options.get("upload_limit", -1)
    return chosen


def connect(handle, peers):
    for each in peers:
        address, port = each.rsplit(":", 1)
        handle.connect_peer((address, int(port)))


def answer(handle, session):
    for _ in sys.stdin:
        status = handle.status()
        say(done=status.total_wanted_done, up=status.total_payload_upload,
            down=status.total_payload_download,
            failed=status.total_failed_bytes, peers=status.num_peers, state=str(status.state),
            is_seeding=status.is_seeding, error=status.errc.message() if status.errc.value() else "",
            version=lt.__version__)
    # Removing it waits for what is still on its way to the disk.
    session.remove_torrent(handle)
    os.kill(os.getpid(), 15)


def main():
    options = json.loads(sys.argv[1])
    session = lt.session(settings(options))
    # For benches: what Python and the libraries took to start is not libtorrent's.
    say(event="ready", cpu=time.process_time())
    handle = session.add_torrent(parameters(options))
    peers = options.get("peers", [])
    connect(handle, peers)
    tried = time.monotonic()
    threading.Thread(target=answer, args=(handle, session), daemon=True).start()
    started = finished = False
    while True:
        session.wait_for_alert(500)
        for alert in session.pop_alerts():
            name = type(alert).__name__
            if name == "save_resume_data_alert" and not finished:
                finished = True
                say(event="finished")
            elif name == "torrent_finished_alert":
                say(event="verified")
            elif name == "listen_succeeded_alert" and not started:
                started = True
                say(event="started", version=lt.__version__)
            elif name in ("file_error_alert", "torrent_error_alert", "listen_failed_alert"):
                say(event="error", text=alert.message())
                if name == "listen_failed_alert":
                    time.sleep(BIND_PAUSE)
                    session.reopen_network_sockets()
        try:
            status = handle.status()
        except RuntimeError:  # removed: the end
            continue
        if not finished and status.is_seeding:
            # The answer to this comes when what was in memory is written.
            handle.save_resume_data(lt.save_resume_flags_t.flush_disk_cache)
        elif not status.is_seeding and status.num_peers == 0 and time.monotonic() > tried + PAUSE:
            tried = time.monotonic()
            connect(handle, peers)


main()
