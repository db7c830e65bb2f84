"""`make demo` as Scripts/demo.sh does it: what it tells, in order, and that nothing of it is left, however it
ends. The machine is the one that interop/vm uses; that the demo makes one itself is tried by
interop/clean-machine.sh.
"""
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import machine

machine.isolated()
from report import Report
from swarm import PROGRAM

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../Scripts/demo.sh")
# What it says, in this order.
STORY = (r"A dataset", r"\d+ packages, \d+ files", r"seed inventory", r"magnet:\?\S*xs=urn:btpk:[0-9a-f]{64}",
         r"join 'magnet", r"version 1 is in copies/inventory@1", r"publish inventory",
         r"version 2 is in copies/inventory@2", r"version 1 is still in copies/inventory@1; "
         r"copies/inventory leads to inventory@2", r"added .* by-folder\.tsv", r"changed .* files\.tsv",
         r"A machine image", r"a disk of 400\.0 MiB", r"boot 'magnet", r"guest: PROMPT at [\d.]+: Debian",
         r'guest: PYTHON at [\d.]+: \{"answer": 42\}', r"fetched ([\d.]+) MiB in all, kernel included",
         r"removed")
report = Report()


def others():
    """Programs that run here, besides this script and what called it."""
    return {pid for pid in os.listdir("/proc") if pid.isdigit() and os.path.exists(f"/proc/{pid}/exe")}


class Demo:
    """A demo in a folder of its own, which has nothing else in it."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(dir=scratch)
        self.before = others()
        for name in ("tmp", "person"):
            os.mkdir(os.path.join(self.folder, name))
        self.process = subprocess.Popen(
            [SCRIPT, machine.image()], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True, env={
                "PATH": os.environ["PATH"], "SWARM": PROGRAM, "DEMO_ACCEL": "tcg", "LC_ALL": "C.UTF-8",
                "TMPDIR": os.path.join(self.folder, "tmp"), "HOME": os.path.join(self.folder, "person")})
        self.text = ""

    def read_until(self, words):
        """Whether it says `words` at last."""
        for line in self.process.stdout:
            self.text += line.decode(errors="replace")
            if words in self.text:
                return True
        return False

    def end(self, name, status):
        """Reads to the end. What it leaves is nothing."""
        self.text += self.process.stdout.read().decode(errors="replace")
        report.equal(f"{name}: status", self.process.wait(60), status)
        for place in ("tmp", "person"):
            report.equal(f"{name}: leaves nothing in {place}",
                         os.listdir(os.path.join(self.folder, place)), [])
        left = others() - self.before - {str(self.process.pid)}
        report.check(f"{name}: leaves nothing that runs", not left, [
            open(f"/proc/{pid}/cmdline", "rb").read()[:200] for pid in left
            if os.path.exists(f"/proc/{pid}/cmdline")])


with tempfile.TemporaryDirectory(prefix="swarm-demos-") as scratch:
    demo = Demo()
    demo.end("a demo", 0)
    at = 0
    for each in STORY:
        found = re.compile(each).search(demo.text, at)
        if not report.check(f"a demo says {each}", found, demo.text[at:][:600]):
            break
        at = found.end()
        if "fetched" in each:
            report.check("a boot takes little of the disk", 10 < float(found[1]) < 100, found[0])
    report.check("no colours where there is no terminal", "\x1b" not in demo.text)
    report.note(re.findall(r"\[(\d+) s\] That is all", demo.text)[-1:])

    # Stopped by Ctrl-C, which goes to all of them, or by a signal of its own.
    for words, number, group, status in (
            ("seed inventory", signal.SIGINT, True, 130), ("version 1 is in", signal.SIGTERM, False, 143),
            ("boot 'magnet", signal.SIGINT, True, 130)):
        name = f"stopped at {words!r}"
        demo = Demo()
        report.check(f"{name}: comes there", demo.read_until(words), demo.text[-600:])
        time.sleep(1)
        (os.killpg if group else os.kill)(demo.process.pid, number)
        demo.end(name, status)

    for variables, words in (({"SWARM": "/bin/false"}, "a node ended while waiting"),
                             ({"SWARM": "/nowhere"}, "no program at")):
        result = subprocess.run(
            [SCRIPT, machine.image()], capture_output=True, text=True, check=False, timeout=120,
            env=os.environ | {"TMPDIR": scratch} | variables)
        report.check(f"{variables}: says what is wrong", result.returncode == 1 and words in result.stderr,
                     f"{result.returncode} {result.stderr[:300]}")
    report.equal("nothing is left", [each for each in os.listdir(scratch) if each.startswith("swarm-")], [])
report.finish()
