"""Hosts that are far from each other, each a network namespace: between any two a way of so many
milliseconds, there and back, over a line of so many megabits a second each (wan.c). Call isolated()
before."""
import contextlib
import ctypes
import os
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
LIBC = ctypes.CDLL(None, use_errno=True)


def _enter(space):
    """This thread, and what it starts and opens from now on, is in that network."""
    if LIBC.setns(space, 0x4000_0000) != 0:  # CLONE_NEWNET
        raise OSError(ctypes.get_errno(), "setns")


class Network:
    """Hosts 1 to `count`. Their networks end with a `with`."""

    made = 0

    def __init__(self, count, milliseconds, megabits, scratch):
        self.title = f"{milliseconds} ms" + (f", {megabits} Mbit/s" if megabits else "")
        self.count = count
        os.makedirs("/run/netns", exist_ok=True)
        if Network.made == 0:
            subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run/netns"], check=True)
        Network.made += 1
        self.names = [f"wan{Network.made}-{host}" for host in range(1, count + 1)]
        program = os.path.join(scratch, "wan")
        if not os.path.exists(program):
            subprocess.run(["cc", "-O2", "-o", program, os.path.join(HERE, "wan.c")], check=True)
        for name in self.names:
            subprocess.run(["ip", "netns", "add", name], check=True)
        self.process = subprocess.Popen(
            # So that packets are late by what was asked for, whatever else computes.
            ["chrt", "--rr", "1", program, str(milliseconds / 2), str(megabits), *self.names],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self.process.stdout.readline() != b"ready\n":
            raise RuntimeError("the way between hosts does not start")
        for host, name in enumerate(self.names, 1):
            for words in (("link", "set", "lo", "up"), ("addr", "add", self.address(host) + "/24",
                                                        "dev", "wan0"),
                          ("link", "set", "wan0", "up", "txqueuelen", "1000")):
                subprocess.run(["ip", "-n", name, *words], check=True)

    @staticmethod
    def address(host):
        return f"10.98.0.{host}"

    @contextlib.contextmanager
    def on(self, host):
        """What this thread starts while it lasts, it starts on that host."""
        with open("/proc/thread-self/ns/net", "rb") as here, \
                open(f"/run/netns/{self.names[host - 1]}", "rb") as there:
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(here.fileno())

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        for name in self.names:
            subprocess.run(["ip", "netns", "del", name], check=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
