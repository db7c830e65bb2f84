"""A network, mounts and processes of a script's own: nothing it does is seen outside, and whatever
it started or mounted ends with it, however it ends."""
import os
import signal
import subprocess
import sys

MARK = "SWARM_INTEROP_ISOLATED"
# Addresses of the loopback interface inside. Not 127.0.0.0/8, which some clients take for no peer.
ADDRESSES = [f"10.99.0.{number}" for number in range(1, 65)]


def isolated():
    """Starts this script again where it is alone. Call it before anything else. Needs root, or a
    system that lets everybody have namespaces; elsewhere it says so, loudly, and ends the script."""
    if os.environ.get(MARK) == "inside":
        set_up()
        return
    namespaces = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if os.geteuid() != 0:
        namespaces += ["--user", "--map-root-user"]
    if subprocess.run(["unshare", *namespaces, "true"], capture_output=True,
                      check=False).returncode != 0:
        print("SKIPPED: no namespaces for this user: run as root")
        print("0 passed, 0 failed", flush=True)
        sys.exit(0)
    # The child is killed with unshare, and with it all that it started.
    child = subprocess.Popen(["unshare", *namespaces, sys.executable, "-W", "ignore", *sys.argv],
                             env=os.environ | {MARK: "inside"})
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: child.kill())
    sys.exit(child.wait())


def set_up():
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    batch = "".join(f"addr add {each}/32 dev lo\n" for each in ADDRESSES)
    subprocess.run(["ip", "-batch", "-"], input=batch, text=True, check=True)


def mount_tmpfs(folder, byte_count):
    """An empty file system with room for about so many bytes. Gone when the script ends."""
    os.makedirs(folder, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={byte_count}", "tmpfs", folder], check=True)


def resize_tmpfs(folder, byte_count):
    subprocess.run(["mount", "-o", f"remount,size={byte_count}", folder], check=True)
