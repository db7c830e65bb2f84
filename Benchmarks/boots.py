"""The Debian of interop/vm and its boots, for benches: what a boot of it reads, recorded, and QEMU on
whatever has its disk."""
import json
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../interop/lib"))
import disks
import machine
import node
import swarm

DISK = "root.ext4"
DO = "swarm.do=python"
PROMPT, PYTHON = b"PROMPT at", b'{"answer": 42}'
PATIENCE = 240  # seconds for one boot


def ran(guest, since):
    """Seconds from `since`, by its own clock, until the guest was at its prompt and until the end of its
    python3."""
    found = []
    for mark in (PROMPT, PYTHON):
        seconds = guest.wait(mark, PATIENCE)
        if seconds is None:
            raise RuntimeError(f"the guest does not come to {mark}: {guest.said()}")
        found.append(guest.started_at - since + seconds)
    return found


class Published:
    """The machine as a dataset of two versions, the second with the trace of a boot. What publishes it is
    in `state`; `torrent` is the content of the first one, and names a tracker."""

    def __init__(self, net, scratch):
        self.image = machine.image()
        self.disk = os.path.join(self.image, DISK)
        self.state = tempfile.mkdtemp(dir=scratch)
        self.trace = os.path.join(scratch, "boot.trace")
        self.reads = os.path.join(scratch, "reads.json")
        with self.seed(net) as seed:
            started = seed.wait("started")
            with disks.Ours(net, started["magnet"], scratch, "--no-trace") as disk:
                if disk.node.wait("exported") is None:
                    raise RuntimeError(f"nothing is exported: {disk.node.said()}")
                with machine.qemu(self.image, disk.wait().socket, DO) as guest:
                    ran(guest, guest.started_at)
                    guest.end()
                disk.node.stop()
                self._keep(started["dataset_key"], os.path.join(disk.folder, "state"))
        answer, _ = swarm.run_json("publish", self.image, "--state", self.state, "--no-spread",
                                   "--trace", self.trace)
        self.link = answer["magnet"]

    def _keep(self, key, state):
        words = ("trace", key, DISK, "--state", state)
        answer, _ = swarm.run_json(*words)
        with open(self.reads, "w", encoding="utf-8") as file:
            json.dump(answer, file)
        result = swarm.run(*words, "-o", self.trace)
        if result.returncode:
            raise RuntimeError(f"no trace: {result.stderr}")
        self.bytes_read = sum(each["length"] for each in answer["reads"])
        self.seconds = answer["reads"][-1]["milliseconds"] / 1000

    def quicken(self, seconds):
        """Makes the recorded pauses so short that the last read is that late."""
        with open(self.reads, encoding="utf-8") as file:
            answer = json.load(file)
        for each in answer["reads"]:
            each["milliseconds"] *= seconds / self.seconds
        with open(self.reads, "w", encoding="utf-8") as file:
            json.dump(answer, file)
        self.seconds = seconds

    def seed(self, net):
        """Its publisher, on host 1; ended by a `with`."""
        with net.on(1):
            found = node.seed(self.image, self.state, disks.endpoint(net, 1), *disks.ALONE,
                              "--piece-length", "64K")
        if not node.is_whole(found, disks.PATIENCE):
            raise RuntimeError(f"our seed does not start: {found.said()}")
        return found
