"""Virtual machines: the small Debian of vm/machine.sh, `swarm boot` on a terminal of its own, and QEMU
without it."""
import fcntl
import hashlib
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import termios
import threading
import time

import isolate
from swarm import PROGRAM

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPT = os.path.join(HERE, "../vm/machine.sh")
CACHE = os.path.join(HERE, "../../.build/machine")


def image():
    """The folder with the machine's files, made once for each machine.sh. Needs the network."""
    with open(SCRIPT, "rb") as file:
        kept = os.path.join(CACHE, hashlib.sha256(file.read()).hexdigest()[:16])
    found = os.path.join(kept, "image")
    if not os.path.isdir(found):
        shutil.rmtree(CACHE, ignore_errors=True)
        made = os.path.join(kept, "new")
        subprocess.run([SCRIPT, made], check=True, timeout=400)
        os.rename(made, found)
    return os.path.realpath(found)


def isolated():
    """isolate.isolated(), once the machine's files were made out there, where the network is. Needs root."""
    if os.environ.get(isolate.MARK) != "inside":
        if os.geteuid() != 0:
            print("SKIPPED: only root can make the machine")
            print("0 passed, 0 failed", flush=True)
            sys.exit(0)
        image()
    isolate.isolated()


def md5(path):
    digest = hashlib.md5()
    with open(path, "rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


class Console:
    """A program on a terminal of its own, of which it is the only job. What it writes is collected."""

    def __init__(self, command, cwd=None):
        self.text = b""
        self.changed = threading.Condition()
        self.ended = False
        self.started_at = time.monotonic()
        self.terminal, inner = pty.openpty()
        self.before = termios.tcgetattr(inner)
        self.process = subprocess.Popen(
            [os.fsencode(each) for each in command], stdin=inner, stdout=inner, stderr=inner,
            cwd=cwd, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.inner = inner
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        while True:
            try:
                part = os.read(self.terminal, 65536)
            except OSError:
                part = b""
            with self.changed:
                self.text += part
                self.ended = self.ended or not part
                self.changed.notify_all()
            if not part:
                return

    def age(self):
        return time.monotonic() - self.started_at

    def wait(self, text, seconds=120, after=0):
        """Seconds from the start until the text was there; None if it does not come."""
        deadline = time.monotonic() + seconds
        with self.changed:
            while text not in self.text[after:]:
                left = deadline - time.monotonic()
                if left <= 0 or self.process.poll() is not None:
                    return self.age() if text in self.text[after:] else None
                self.changed.wait(min(left, 0.5))
        return self.age()

    def asks(self, line, answer, seconds=30):
        """Types a line; whether an answer comes to it."""
        seen = len(self.text)
        self.type(line + b"\r")
        return self.wait(answer, seconds, seen) is not None

    def type(self, keys):
        os.write(self.terminal, keys)

    def word_after(self, mark, seconds=10):
        """The word behind "MARK at SECONDS:", where the machine says so; None if the line does not
        come."""
        line = re.compile(mark.encode() + rb" at [0-9.]+: (\S+)\s*\n")
        deadline = time.monotonic() + seconds
        with self.changed:
            while not (found := line.search(self.text)):
                left = deadline - time.monotonic()
                if left <= 0 or self.ended:
                    return None
                self.changed.wait(left)
        return found[1].decode(errors="replace")

    def end(self, seconds=20):
        """Waits for its end. Its status; None when it had to be killed."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            status = None
        time.sleep(0.1)
        return status

    def is_as_before(self):
        """Whether the terminal is set as it was."""
        return termios.tcgetattr(self.inner) == self.before

    def send(self, number):
        self.process.send_signal(number)

    def said(self):
        return repr(self.text[-600:])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            # With QEMU, which is of its group.
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        for each in (self.inner, self.terminal):
            os.close(each)


class Boot(Console):
    """`swarm boot`."""

    def __init__(self, folder, *words, prefix=(), cwd=None):
        os.makedirs(folder, exist_ok=True)
        self.status_file = os.path.join(folder, f"status{time.monotonic_ns()}")
        super().__init__([*prefix, PROGRAM, "boot", "--status", self.status_file, *words], cwd)

    def events(self, name):
        try:
            with open(self.status_file, encoding="utf-8") as file:
                lines = [json.loads(line) for line in file.read().splitlines(True)
                         if line.endswith("\n")]
        except FileNotFoundError:
            return []
        return [each for each in lines if each["event"] == name]

    def event(self, name):
        """The newest event of that name, or {}."""
        return (self.events(name) or [{}])[-1]

    def wait_for(self, holds, seconds=90):
        """The first newest status for which `holds`; {} if it does not come."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            status = self.event("status")
            if status and holds(status):
                return status
            time.sleep(0.1)
        return {}


def qemu(folder, socket, append, export="root.ext4"):
    """QEMU at a block device, as a user would start it."""
    return qemu_on(folder, "file.driver=nbd,file.server.type=unix,"
                   f"file.server.path={socket},file.export={export},file.reconnect-delay=60", append)


def qemu_on(folder, drive, append):
    """QEMU with a disk that is a raw image."""
    with open(os.path.join(folder, "cmdline"), encoding="ascii") as file:
        line = file.read().strip()
    return Console([
        "qemu-system-x86_64", "-accel", "tcg", "-m", "512M", "-display", "none", "-vga", "none",
        "-serial", "mon:stdio", "-nic", "none", "-kernel", os.path.join(folder, "vmlinuz"),
        "-initrd", os.path.join(folder, "initrd"), "-append", f"{line} {append}", "-drive",
        f"if=virtio,snapshot=on,format=raw,{drive}"])
