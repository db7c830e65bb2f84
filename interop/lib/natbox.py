"""A host, its router with NAT, and somebody outside, each a network namespace; and the daemons that
let the host map ports. Only inside of `isolated()`, with which all of it ends."""
import os
import re
import signal
import subprocess
import sys
import threading
import time

LAN, ROUTER, OUTSIDE = "lan", "router", "outside"
LAN_LINK = "l0"
LAN_ADDRESS, OTHER_ADDRESS = "192.168.77.10", "192.168.77.11"
ROUTER_ADDRESS = "192.168.77.1"
LAN_ADDRESS6, ROUTER_ADDRESS6 = "2a00:77::10", "2a00:77::1"
WAN_ADDRESS6, OUTSIDE_ADDRESS6 = "2a00:113::1", "2a00:113::2"
# miniupnpd takes addresses of the ranges for documentation for no way out.
WAN_ADDRESS, OUTSIDE_ADDRESS = "193.0.77.1", "193.0.77.2"
PROGRAM = os.environ.get("SWARM_MAP") or os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "../../.build/release/swarm-map")
FAKE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../miniupnpd/fake_router.py")

NAT = """
flush ruleset
table inet filter {
  chain forward {
    type filter hook forward priority 0; policy drop;
    ct state established,related accept
    iifname "l1" accept
    jump miniupnpd
  }
  chain input {
    type filter hook input priority 0; policy accept;
    %s
  }
  chain miniupnpd { }
  chain prerouting { type nat hook prerouting priority -100; jump prerouting_miniupnpd; }
  chain postrouting {
    type nat hook postrouting priority 100;
    jump postrouting_miniupnpd
    oifname "w1" masquerade
  }
  chain prerouting_miniupnpd { }
  chain postrouting_miniupnpd { }
}
"""
# The first byte of a datagram, by which PCP's version 2 differs from NAT-PMP's 0.
NO_PCP = "udp dport 5351 @th,64,8 2 drop"

_folder = None


def run(namespace, *words, check=True, text=None):
    return subprocess.run(["ip", "netns", "exec", namespace, *words], check=check, input=text,
                          text=True, capture_output=True, timeout=30)


class start:
    """A program in a namespace, killed at the end of a `with`."""

    def __init__(self, namespace, *words):
        self.process = subprocess.Popen(["ip", "netns", "exec", namespace, *words],
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


def build(folder):
    """Makes the three hosts. `folder` is for configurations."""
    global _folder
    _folder = folder
    # Where `ip netns` keeps names; the system's own stays as it is.
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    for each in (LAN, ROUTER, OUTSIDE):
        subprocess.run(["ip", "netns", "add", each], check=True)
        run(each, "ip", "link", "set", "lo", "up")
    for left, at, right, there in ((LAN_LINK, LAN, "l1", ROUTER), ("w0", OUTSIDE, "w1", ROUTER)):
        subprocess.run(["ip", "link", "add", left, "netns", at, "type", "veth", "peer", "name",
                        right, "netns", there], check=True)
    for namespace, link, address in ((LAN, LAN_LINK, LAN_ADDRESS), (ROUTER, "l1", ROUTER_ADDRESS),
                                     (ROUTER, "w1", WAN_ADDRESS), (OUTSIDE, "w0", OUTSIDE_ADDRESS)):
        run(namespace, "ip", "addr", "add", f"{address}/24", "dev", link)
        run(namespace, "ip", "link", "set", link, "up")
    run(ROUTER, "sysctl", "-qw", "net.ipv4.ip_forward=1")
    run(LAN, "ip", "route", "add", "default", "via", ROUTER_ADDRESS)
    for namespace, link, address in (
            (LAN, LAN_LINK, LAN_ADDRESS6), (ROUTER, "l1", ROUTER_ADDRESS6),
            (ROUTER, "w1", WAN_ADDRESS6), (OUTSIDE, "w0", OUTSIDE_ADDRESS6)):
        run(namespace, "ip", "addr", "add", f"{address}/64", "dev", link, "nodad")
    run(ROUTER, "sysctl", "-qw", "net.ipv6.conf.all.forwarding=1")
    run(OUTSIDE, "ip", "-6", "route", "add", "default", "via", WAN_ADDRESS6)
    until(lambda: run(LAN, "ping", "-c1", "-W1", ROUTER_ADDRESS, check=False).returncode == 0, 5)


def move(old, new):
    """Gives the host in the LAN another address."""
    run(LAN, "ip", "addr", "del", f"{old}/24", "dev", LAN_LINK)
    run(LAN, "ip", "addr", "add", f"{new}/24", "dev", LAN_LINK)
    run(LAN, "ip", "route", "replace", "default", "via", ROUTER_ADDRESS)


def rules():
    return run(ROUTER, "nft", "list", "chain", "inet", "filter", "prerouting_miniupnpd").stdout


def rule_count():
    return rules().count("dnat")


def until(holds, seconds):
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


class Daemon:
    """miniupnpd in the router, with the services named. Its rules end with it, as when a router
    loses its power."""

    def __init__(self, natpmp=True, upnp=True, pcp=True, secure=True, ipv6=False):
        self.ipv6 = ipv6
        run(ROUTER, "nft", "-f", "-", text=NAT % ("" if pcp else NO_PCP))
        path = os.path.join(_folder, "miniupnpd.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"""ext_ifname=w1
listening_ip=l1
http_port=5000
ipv6_disable={'no' if ipv6 else 'yes'}
enable_natpmp={'yes' if natpmp else 'no'}
enable_upnp={'yes' if upnp else 'no'}
secure_mode={'yes' if secure else 'no'}
system_uptime=no
uuid=11111111-2222-3333-4444-555555555555
upnp_table_name=filter
upnp_nat_table_name=filter
allow 1024-65535 192.168.77.0/24 1024-65535
deny 0-65535 0.0.0.0/0 0-65535
""")
        self.log = open(os.path.join(_folder, "miniupnpd.log"), "w", encoding="utf-8")
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", ROUTER, "miniupnpd", "-d", "-f", path, "-P",
             os.path.join(_folder, "miniupnpd.pid")], stdout=self.log, stderr=self.log)

    def __enter__(self):
        port = ":5000" if "upnp=yes" in open(os.path.join(_folder, "miniupnpd.conf"),
                                              encoding="utf-8").read() else ":5351"
        until(lambda: port in run(ROUTER, "ss", "-lntu").stdout, 5)
        if self.ipv6:
            # By its link-local address, as a router advertises itself.
            found = run(ROUTER, "ip", "-6", "-o", "addr", "show", "dev", "l1", "scope", "link")
            address = found.stdout.split()[3].split("/")[0]
            run(LAN, "ip", "-6", "route", "replace", "default", "via", address, "dev", LAN_LINK)
        return self

    def end(self):
        """Kills it, and its rules are gone."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
            run(ROUTER, "nft", "-f", "-", text=NAT % "")

    def __exit__(self, *_):
        self.end()
        self.log.close()
        if self.ipv6:
            run(LAN, "ip", "-6", "route", "del", "default", check=False)


class FakeRouter:
    """fake_router.py in the router's namespace; see there for its manners."""

    def __init__(self, permanent=False, manner="honest", external=WAN_ADDRESS):
        words = ["ip", "netns", "exec", ROUTER, sys.executable, FAKE, ROUTER_ADDRESS, external, manner]
        if permanent:
            words.append("permanent")
        self.lines = []
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.split())

    def leases(self):
        """Lifetimes that it was asked for."""
        return [each[4] for each in self.lines if each[0] == "add"]

    def table(self):
        """What is mapped."""
        found = []
        for each in self.lines:
            if each[0] == "added":
                found.append(each[1:])
            elif each[0] == "deleted" and each[1:] in found:
                found.remove(each[1:])
        return found

    def was_asked(self):
        return any(each[0] == "get" for each in self.lines)

    def __enter__(self):
        until(lambda: self.lines, 5)
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


class Mapper:
    """Our program in the LAN; its lines are collected."""

    def __init__(self, *ports):
        self.lines = []
        self.started = time.monotonic()
        self.process = subprocess.Popen(["ip", "netns", "exec", LAN, PROGRAM, *ports],
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.strip())

    def age(self):
        return time.monotonic() - self.started

    def wait(self, pattern, seconds=20):
        """The first line that fits; None if it does not come."""
        found = []

        def look():
            found[:] = [each for each in list(self.lines) if re.search(pattern, each)]
            return found
        return found[0] if until(look, seconds) else None

    def peak(self):
        """The most memory that it has had resident, in KiB."""
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as file:
            return int(re.search(r"VmHWM:\s+(\d+)", file.read()).group(1))

    def stop(self):
        """Seconds that it takes to end; None when it does not."""
        before = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            return None
        return time.monotonic() - before

    def said(self):
        return repr(self.lines[-6:])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
