"""A router that speaks UPnP as the real one does not: `fake_router.py ADDRESS EXTERNAL MANNER
[permanent]`. With `permanent` it knows no leases that end (error 725). Manners: honest; flood, which
describes itself without end; drip, which does so byte by byte. Prints a line for all that is asked."""
import re
import socket
import socketserver
import sys
import threading
import time

ADDRESS, EXTERNAL, MANNER = sys.argv[1:4]
PERMANENT = "permanent" in sys.argv[4:]
PORT = 5001
TYPE = "urn:schemas-upnp-org:service:WANIPConnection:1"

DESCRIPTION = f"""<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0"><device>
<deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType><deviceList><device>
<deviceType>urn:schemas-upnp-org:device:WANDevice:1</deviceType><deviceList><device>
<deviceType>urn:schemas-upnp-org:device:WANConnectionDevice:1</deviceType><serviceList><service>
<serviceType>{TYPE}</serviceType><controlURL>/control</controlURL><SCPDURL>/scpd</SCPDURL>
</service></serviceList></device></deviceList></device></deviceList></device></root>"""


def say(*words):
    print(*words, flush=True)


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.rfile.readline()
            if not line:
                return
            head += line
        if head.startswith(b"GET"):
            say("get")
            return self.describe()
        length = re.search(rb"content-length: *(\d+)", head, re.I)
        body = self.rfile.read(int(length.group(1))).decode()
        action = re.search(rb"soapaction:.*#(\w+)", head, re.I).group(1).decode()
        return self.control(action, lambda name: re.search(f"<{name}>([^<]*)<", body).group(1))

    def describe(self):
        try:
            if MANNER == "flood":
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2000000000\r\n\r\n")
                while True:
                    self.wfile.write(b"<x>" * 20000)
            if MANNER == "drip":
                self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
                while True:
                    self.wfile.write(b"<")
                    time.sleep(0.2)
            self.answer(200, DESCRIPTION)
        except OSError:
            pass

    def control(self, action, argument):
        if action == "GetExternalIPAddress":
            inner = f"<NewExternalIPAddress>{EXTERNAL}</NewExternalIPAddress>"
            return self.soap(action, inner)
        row = [argument("NewExternalPort"), argument("NewProtocol")]
        if action == "AddPortMapping":
            lease = argument("NewLeaseDuration")
            say("add", *row, argument("NewInternalPort"), lease)
            if PERMANENT and lease != "0":
                return self.error(725)
            say("added", *row)
        elif action == "DeletePortMapping":
            say("deleted", *row)
        return self.soap(action, "")

    def soap(self, action, inner):
        self.answer(200, '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
                    f'<u:{action}Response xmlns:u="{TYPE}">{inner}</u:{action}Response>'
                    "</s:Body></s:Envelope>")

    def error(self, code):
        self.answer(500, '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
                    "<s:Fault><detail><UPnPError><errorCode>%d</errorCode></UPnPError></detail>"
                    "</s:Fault></s:Body></s:Envelope>" % code)

    def answer(self, status, text):
        data = text.encode()
        self.wfile.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(data)}\r\n"
                         "Connection: close\r\n\r\n".encode() + data)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


def answer_searches():
    ssdp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    ssdp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    ssdp.bind(("", 1900))
    group = socket.inet_aton("239.255.255.250") + socket.inet_aton(ADDRESS)
    ssdp.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
    say("ready")
    while True:
        _, source = ssdp.recvfrom(2048)
        ssdp.sendto(f"HTTP/1.1 200 OK\r\nST: {TYPE}\r\n"
                    f"Location: http://{ADDRESS}:{PORT}/desc.xml\r\n\r\n".encode(), source)


threading.Thread(target=answer_searches, daemon=True).start()
Server((ADDRESS, PORT), Handler).serve_forever()
