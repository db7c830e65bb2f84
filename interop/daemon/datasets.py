"""`swarm daemon` and the commands that talk to it: datasets that are added, followed, read, exported and
taken out, through stops and kills."""
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from isolate import isolated

isolated()
import nbd
import node
import swarm
from report import Report

report = Report()
ALONE = ("--no-dht", "--no-lan", "--no-mapping")


class Daemon(node.Node):
    """A daemon with a state folder and sockets of its own."""

    def __init__(self, folder, address, *more):
        self.state, self.sockets = (os.path.join(folder, each) for each in ("state", "sockets"))
        self.address = address
        super().__init__("daemon", *ALONE, "--state", self.state, "--sockets", self.sockets,
                         "--listen", address, *more)
        self.is_up = self.wait("started", 30) is not None

    def again(self):
        return Daemon(os.path.dirname(self.state), self.address)

    def run(self, *words):
        return swarm.run(*words, "--state", self.state, "--sockets", self.sockets)

    def json(self, *words):
        return swarm.run_json(*words, "--state", self.state, "--sockets", self.sockets)[0]

    def dataset(self, name):
        return self.json("status", name)

    def until(self, name, holds, seconds=60):
        """The dataset when `holds` says so of it, or as it was last."""
        end = time.monotonic() + seconds
        while True:
            found = self.dataset(name)
            if holds(found) or time.monotonic() > end:
                return found
            time.sleep(0.2)


def is_refused(name, result, *words):
    said = result.stderr.decode(errors="replace")
    report.check(f"{name}: refused, in words", result.returncode == 1 and
                 all(each in said for each in words) and not result.stdout, said)


def uri(text):
    return text.strip().decode()


def read(where):
    client = nbd.NBD()
    client.connect_uri(where)
    size, got = client.get_size(), bytearray()
    while len(got) < size:
        got += client.pread(min(1 << 20, size - len(got)), len(got))
    client.shutdown()
    return bytes(got)


def many_files(daemon):
    """While a folder of thousands of files is looked at, others are answered."""
    folder = os.path.join(scratch, "many")
    for number in range(60):
        os.makedirs(os.path.join(folder, f"{number:02}"))
        for name in range(200):
            with open(os.path.join(folder, f"{number:02}", f"{name:03}"), "wb") as file:
                file.write(b"%d" % name)
    published = swarm.run("publish", folder, "--state", daemon.state, "--no-spread")
    report.equal("many files: published", published.returncode, 0)
    added, answers = [], []
    adding = threading.Thread(target=lambda: (
        added.append(daemon.run("add", folder)), added.append(time.monotonic())))
    begun = time.monotonic()
    adding.start()
    while adding.is_alive():
        asked = time.monotonic()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(os.path.join(daemon.sockets, "api.sock"))
            client.sendall(b"GET /v1/node HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            while client.recv(65536):
                pass
        answers.append(time.monotonic() - asked)
    adding.join()
    took = added[1] - begun
    report.equal("many files: added", added[0].returncode, 0)
    report.check("many files: others are answered meanwhile", len(answers) > 5 and max(answers) < took / 2,
                 f"{len(answers)} answers, the latest {max(answers):.2f} s, all {took:.2f} s")
    report.equal("many files: taken out", daemon.run("rm", newest_id(daemon)).returncode, 0)


def newest_id(daemon):
    """Of the dataset that was added last."""
    return daemon.json("ls")["datasets"][-1]["id"]


def is_complete(dataset):
    return dataset["transfer"] is not None and dataset["transfer"]["finished"]


with tempfile.TemporaryDirectory() as scratch:
    source = os.path.join(scratch, "data")
    os.makedirs(os.path.join(source, "sub"))
    image = first_image = os.urandom(3 << 20)
    with open(os.path.join(source, "disk.img"), "wb") as file:
        file.write(image)
    with open(os.path.join(source, "sub/a b"), "wb") as file:
        file.write(b"small\n")
    before = sorted(os.listdir(source))

    ours, theirs = (os.path.join(scratch, each) for each in ("ours", "theirs"))
    nowhere = swarm.run("ls", "--state", ours, "--sockets", os.path.join(ours, "sockets"))
    is_refused("ls without a daemon", nowhere, "no daemon is running", "swarm daemon")

    first, second = Daemon(ours, "10.99.0.1:6901"), Daemon(theirs, "10.99.0.2:6902")
    with first:
        report.check("two daemons start", first.is_up and second.is_up, first.said() + second.said())
        for name in ("api.sock", "nbd.sock"):
            mode = os.stat(os.path.join(first.sockets, name)).st_mode
            report.equal(f"{name} is its owner's", stat.S_IMODE(mode), 0o600)
        report.equal("their folder too", stat.S_IMODE(os.stat(first.sockets).st_mode), 0o700)
        with node.Node("daemon", *ALONE, "--state", first.state, "--sockets",
                       os.path.join(scratch, "other"), "--listen", "10.99.0.1:6908") as third:
            report.check("nor one with its state", third.end(20) == 1 and third.has_said("state folder"),
                         third.said())
        with Daemon(os.path.dirname(first.state), "10.99.0.1:6909") as third:
            report.check("a second one beside it ends", third.end(20) == 1 and third.has_said("in use"),
                         third.said())

        added = first.json("add", source)
        key = added["id"]
        report.check("a folder is published and shared", len(key) == 64 and added["seed"], added)
        report.equal("the user's folder is as it was", sorted(os.listdir(source)), before)
        is_refused("adding it twice", first.run("add", source), "already")
        is_refused("a path that is not there", first.run("add", os.path.join(scratch, "none")),
                   "there is no such file")
        is_refused("a link that is none", first.run("add", "magnet:?xt=urn:btih:12"), "xt")
        is_refused("a dataset that is not there", first.run("status", "nothing"), "swarm ls")
        is_refused("a folder's place", first.run("add", source, scratch), "where it is")

        second.run("add", key, "--peer", "10.99.0.1:6901")
        done = second.until(key, is_complete)
        report.check("the key alone, on the other daemon: complete", is_complete(done), done)
        listed = second.run("ls").stdout.decode()
        report.check("ls shows it", key[:12] in listed and "complete" in listed
                     and "data version 1" in listed, listed)
        report.check("peers shows the other", b"10.99.0.1" in second.run("peers", "data").stdout)
        report.check("status of the node", b"10.99.0.2:6902" in second.run("status").stdout)
        content = done["path"]
        with open(os.path.join(content, "disk.img"), "rb") as file:
            report.check("byte for byte", file.read() == image)

        # A new version, published by another process: followed.
        image = image[:1 << 20] + os.urandom(1000) + image[(1 << 20) + 1000:]
        with open(os.path.join(source, "disk.img"), "wb") as file:
            file.write(image)
        published = swarm.run("publish", source, "--state", first.state, "--no-spread")
        report.equal("publish", published.returncode, 0)
        newer = second.until(key, lambda each: each["version"] == 2 and is_complete(each))
        report.check("version 2 is followed", newer["version"] == 2 and is_complete(newer), newer)
        report.check("the folder is not ahead of its version", not any(
            each["event"] == "warning" for each in first.events), first.said())

        # Block devices, through a kill.
        exported = second.run("export", "data", "disk.img", "--name", "disk")
        where = uri(exported.stdout)
        report.check("export prints where", where.startswith("nbd+unix:///disk?socket="), exported)
        report.check("it reads right", read(where) == image)
        report.equal("asked for twice, it is the same", uri(second.run(
            "export", "data", "disk.img", "--name", "disk").stdout), where)
        is_refused("a name that is another's", second.run(
            "export", "data", "sub/a b", "--name", "disk"), "already")
        for name in ("..", "."):
            is_refused(f"the name {name}", second.run("export", "data", "--name", name), "name")
        is_refused("a file that is not there", second.run("export", "data", "none"), "no file")
        report.check("by KEY/path, without an export", read(
            where.replace("///disk?", f"///{key}/sub%2Fa%20b?")) == b"small\n")
        report.check("by KEY@VERSION/path", read(
            where.replace("///disk?", f"///{key}@2/disk.img?")) == image)
        newest = uri(second.run("export", "data", "disk.img", "--newest", "--name", "new").stdout)

        # A version that nobody can fetch, and one behind it: what is exported stays what it is.
        second.events.clear()
        older, image = image, image[:99] + os.urandom(99) + image[198:]
        with open(os.path.join(source, "disk.img"), "wb") as file:
            file.write(image)
        swarm.run("publish", source, "--state", first.state, "--no-spread")
        newer = second.until(key, lambda each: each["version"] == 3 and is_complete(each))
        report.check("version 3 is followed", newer["version"] == 3 and is_complete(newer), newer)
        report.check("an export is of the version that it was made of", read(where) == older)
        report.check("unless it is of the newest", read(newest) == image)
        second.run("export", "new", "--remove")
        second.kill()
        second = second.again()
        report.check("after a kill it starts again", second.is_up, second.said())
        back = second.until(key, is_complete)
        report.check("with its dataset", is_complete(back) and back["version"] == 3, back)
        report.check("that was not fetched again", back["transfer"]["downloaded"] == 0, back)
        report.check("and its export, of an older version", read(where) == older)
        report.check("the list of exports", uri(second.run("export").stdout) == where)
        report.equal("an export is removed", second.run("export", "disk", "--remove").returncode, 0)
        report.equal("no export is left", second.run("export").stdout, b"")
        is_refused("removing it twice", second.run("export", "disk", "--remove"), "nothing is exported")

        # An older version that nobody asked for until now.
        report.check("an older version by KEY@VERSION/path", read(
            where.replace("///disk?", f"///{key}@1/disk.img?")) == first_image)
        got = subprocess.run(
            ["curl", "-s", "--unix-socket", os.path.join(second.sockets, "api.sock"), "-r", "0-999",
             f"http://x/v1/datasets/{key}/files/disk.img?version=2"], capture_output=True, check=False)
        report.check("and over HTTP", got.stdout == older[:1000], got)
        shown = second.run("export", "data", "disk.img", "--version", "99")
        is_refused("a version that is not there", shown, "no version 99")

        # Only what is read.
        report.equal("rm", second.run("rm", key).returncode, 0)
        is_refused("rm twice", second.run("rm", key), "no dataset")
        report.check("the content stays", os.path.exists(os.path.join(content, "disk.img")))
        place = os.path.join(scratch, "place")
        sparse = second.json("add", f"{key}@3", place, "--sparse", "--peer", "10.99.0.1:6901")
        report.check("sparse, a version by its number, a place", sparse["sparse"], sparse)
        found = second.until(key, lambda each: each["torrent"] is not None)
        report.check("its metadata comes", found["torrent"] is not None and found["version"] == 3, found)
        client = nbd.NBD()
        client.connect_uri(where.replace("///disk?", f"///{key}/disk.img?"))
        report.check("a read", client.pread(4096, 2 << 20) == image[2 << 20:(2 << 20) + 4096])
        client.shutdown()
        done = second.dataset(key)["transfer"]["done"]
        report.check("fetches little", 0 < done < 2 << 20, done)
        report.check("below the place that was named", second.dataset(key)["path"].startswith(place))

        # Found by its number alone, after it was taken out; by its key again.
        report.equal("rm of one by its number", second.run("rm", key).returncode, 0)
        second.run("add", key, "--sparse", "--peer", "10.99.0.1:6901")
        found = second.until(key, lambda each: each["torrent"] is not None, 20)
        report.check("the same by its key", found["torrent"] is not None, found)
        second.run("rm", key)
        second.kill()
        shutil.rmtree(second.state)
        second = second.again()
        second.run("add", f"{key}@2", "--sparse", "--peer", "10.99.0.1:6901")
        found = second.until(key, lambda each: each["torrent"] is not None, 20)
        report.check("a version by its number, with nothing known", found["version"] == 2, found)
        second.run("rm", key)

        # Two torrents whose content would lie at one place.
        torrents = []
        for number in (1, 2):
            folder = os.path.join(scratch, f"torrent{number}")
            os.makedirs(folder)
            with open(os.path.join(folder, "same.img"), "wb") as file:
                file.write(os.urandom(1 << 20))
            torrents.append(os.path.join(folder, "same.torrent"))
            swarm.run("create", os.path.join(folder, "same.img"), "-o", torrents[-1])
        place = os.path.join(scratch, "place2")
        one = second.json("add", torrents[0], place, "--sparse")
        os.remove(torrents[0])
        os.makedirs(place, exist_ok=True)
        with open(os.path.join(place, "same.img"), "wb") as file:
            file.write(bytes(1 << 20))
        other = second.json("add", torrents[1], place)["id"]
        other = second.until(other, lambda each: each["fault"], 20)
        report.check("another's place is not taken", "another dataset" in (other["fault"] or ""), other)
        with open(os.path.join(place, "same.img"), "rb") as file:
            report.check("nor written to", file.read() == bytes(1 << 20))
        second.run("rm", other["id"])
        second.run("rm", one["id"])
        second.run("add", key, "--sparse", "--peer", "10.99.0.1:6901")
        second.until(key, lambda each: each["torrent"] is not None, 20)
        # A version of which there is nothing here but its description: opened for who reads it.
        # The first answer may be that it is being opened.
        deadline, got, place = time.monotonic() + 60, None, 2 << 20
        while got != older[place:place + 1000] and time.monotonic() < deadline:
            got = subprocess.run(
                ["curl", "-s", "--unix-socket", os.path.join(second.sockets, "api.sock"), "-r",
                 f"{place}-{place + 999}", f"http://x/v1/datasets/{key}/files/disk.img?version=2"],
                capture_output=True, check=False).stdout
            time.sleep(0.1)
        report.check("an older version that is not here", got == older[place:place + 1000], got[:200])
        client = nbd.NBD()
        client.connect_uri(where.replace("///disk?", f"///{key}@2/disk.img?"))
        report.check("and as a block device", client.pread(4096, 2 << 20)
                     == older[2 << 20:(2 << 20) + 4096])
        client.shutdown()
        # More to remember than one would think.
        for number in range(3):
            big = {"link": f"urn:btih:{number + 1:040x}", "only": ["x" * 1000] * 600}
            subprocess.run(["curl", "-s", "--unix-socket", os.path.join(second.sockets, "api.sock"),
                            "-H", "Content-Type: application/json", "-d", "@-",
                            "http://x/v1/datasets"], input=json.dumps(big).encode(),
                           capture_output=True, check=False)
        report.equal("big wishes are taken", len(second.json("ls")["datasets"]), 4)
        second.kill()
        second = second.again()
        report.check("and do not keep it from starting", second.is_up, second.said())
        for number in range(3):
            second.run("rm", f"{number + 1:040x}")

        many_files(second)

        # Stops.
        report.equal("a signal ends it in order", second.stop(signal.SIGTERM), 0)
        report.check("its sockets are gone", not os.listdir(second.sockets))
        record = os.path.join(second.state, "daemon.json")
        with open(record) as file:
            kept = json.load(file)
        report.check("what is wished for is kept", len(kept["datasets"]) == 1 and
                     stat.S_IMODE(os.stat(record).st_mode) == 0o600, kept)
        with open(record, "w") as file:
            file.write("nonsense")
        with second.again() as broken:
            report.check("a record that is none", broken.end(20) == 1 and broken.has_said("daemon.json"),
                         broken.said())
        with open(record, "w") as file:
            json.dump(kept, file)
        with second.again() as last:
            report.check("and mended", last.is_up and last.dataset(key)["sparse"])
            report.equal("SIGINT", last.stop(signal.SIGINT), 0)
    for each in (first, second):
        report.check("no line on standard output but events", not each.odd_lines, each.odd_lines[:2])
        each.__exit__()

report.finish()
