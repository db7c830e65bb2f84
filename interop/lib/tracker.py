"""A tracker that tells everybody of the same peers. BEP 3, BEP 23."""
import http.server
import socket
import struct
import threading
import urllib.parse

from bencode import encode


class Tracker:
    """Answers on address:port from a thread of its own until the program ends."""

    def __init__(self, address, port, peers=()):
        self.peers = list(peers)  # "address:port"; may be changed at any time
        self.asked = 0
        tracker = self

        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                tracker.asked += 1
                query = urllib.parse.parse_qs(urllib.parse.urlparse(self.path).query,
                                              encoding="latin-1")
                asker = f"{self.client_address[0]}:{query.get('port', ['0'])[0]}"
                body = tracker.answer(asker)
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer((address, port), Answer)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.url = f"http://{address}:{port}/announce"

    def answer(self, asker):
        compact = b""
        for each in self.peers:
            if each != asker:
                address, port = each.rsplit(":", 1)
                compact += socket.inet_aton(address) + struct.pack(">H", int(port))
        return encode({"complete": 1, "incomplete": 1, "interval": 60, "min interval": 1,
                       "peers": compact})
