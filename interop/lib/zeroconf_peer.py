"""python zeroconf in a process of its own.

zeroconf_peer.py browse INFOHASH: prints "found NAME ADDRESS PORT" and "lost NAME".
zeroconf_peer.py register INFOHASH NAME ADDRESS PORT: prints "registered NAME".
Ends with standard input.
"""
import socket
import sys

from zeroconf import ServiceBrowser, ServiceInfo, Zeroconf

TYPE = "_bittorrent._tcp.local."


class Listener:
    def add_service(self, zeroconf, kind, name):
        # Resolved by its own type: a subtype is a way to search.
        info = zeroconf.get_service_info(TYPE, name, 3000)
        short = name.removesuffix("." + TYPE)
        for address in info.parsed_addresses() if info else ():
            print(f"found {short} {address} {info.port}", flush=True)

    def update_service(self, zeroconf, kind, name):
        pass

    def remove_service(self, zeroconf, kind, name):
        print("lost", name.removesuffix("." + TYPE), flush=True)


def main():
    what, infohash = sys.argv[1:3]
    zeroconf = Zeroconf()
    subtype = f"_{infohash}._sub.{TYPE}"
    if what == "browse":
        ServiceBrowser(zeroconf, subtype, Listener())
        print("ready", flush=True)
    else:
        name, address, port = sys.argv[3:]
        info = ServiceInfo(subtype, f"{name}.{TYPE}", addresses=[socket.inet_aton(address)],
                           port=int(port), server="other.local.")
        try:
            zeroconf.register_service(info)
        except Exception as error:  # its name says what it is
            print(type(error).__name__, flush=True)
        else:
            print("registered", info.name, flush=True)
    sys.stdin.read()
    zeroconf.close()


main()
