"""One seed to one leech, with compression and with --no-compression, in turn: a tree of real text and a machine
image over a line of so many Mbit/s, and random bytes over the same line and over loopback.

The text is what is on this machine below --text: every file that looks like text once (none twice, whatever its
name), and files that are compressed already are none. The image is the Debian of interop/vm, or --image; its holes
are not sent by anybody who knows of them, and here nobody does. From the start of the leech until all is verified and
written; what the kernel counted on the line; CPU seconds. In a network of its own: root. Asserts nothing.
"""
import argparse
import hashlib
import os
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../interop/lib"))
from isolate import isolated

isolated()
import contents
import machine
import measure
import node
import swarm
import wan

ALONE = ("--no-dht", "--no-lan", "--no-mapping")
PLACES = "/usr/share/doc,/usr/include,/usr/lib/python3,/usr/lib/python3.11,/usr/share,/opt/swift,/usr/src,/etc"
KINDS = (".gz", ".xz", ".bz2", ".zst", ".zip", ".png", ".jpg", ".woff", ".woff2", ".pdf")
PATIENCE = 900


def is_text(data):
    """As grep has it: no zero byte, at its beginning; and UTF-8, mostly."""
    head = data[:65536]
    return b"\0" not in head and len(head.decode("utf-8", "ignore")) >= len(head) * 0.9


def gather(places, target, byte_count):
    """A tree of the text files below those places, until there is so much; how much there is."""
    seen, total = set(), 0
    for place in places:
        for folder, names, files in os.walk(place):
            names.sort()
            for name in sorted(files):
                path = os.path.join(folder, name)
                if total >= byte_count:
                    return total
                if name.endswith(KINDS) or os.path.islink(path) or not os.path.isfile(path):
                    continue
                try:
                    with open(path, "rb") as file:
                        data = file.read(64 << 20)
                except OSError:
                    continue
                digest = hashlib.sha256(data).digest()
                if not data or digest in seen or not is_text(data):
                    continue
                seen.add(digest)
                to = os.path.join(target, os.path.relpath(path, "/"))
                os.makedirs(os.path.dirname(to), exist_ok=True)
                with open(to, "wb") as file:
                    file.write(data)
                total += len(data)
    return total


def line_bytes(device):
    with open("/proc/thread-self/net/dev", encoding="ascii") as file:
        for each in file:
            name, _, rest = each.partition(":")
            if name.strip() == device:
                return int(rest.split()[0])
    return 0


def once(torrent, source, scratch, where, more):
    """`where` has a way to be on the seed's host and on the leech's, their addresses, and the line's device."""
    on, addresses, device = where
    target = tempfile.mkdtemp(dir=scratch)
    try:
        with on(1):
            seed = node.seed(torrent, tempfile.mkdtemp(dir=scratch), f"{addresses[0]}:6901", "--data", source,
                             *ALONE, *more)
        with seed:
            if not node.is_whole(seed, PATIENCE):
                raise RuntimeError(f"the seed does not start: {seed.said()}")
            before = measure.cpu(seed.pid)
            with on(2):
                counted = line_bytes(device)
                leech = node.join(torrent, target, tempfile.mkdtemp(dir=scratch), f"{addresses[1]}:6902", *ALONE,
                                  *more, peers=[f"{addresses[0]}:6901"])
            with leech:
                found = leech.wait("finished", PATIENCE)
                if found is None:
                    raise RuntimeError(f"it does not finish: {leech.said()}")
                cpu = measure.cpu(leech.pid), measure.cpu(seed.pid) - before
                peaks = [measure.memory(each.pid)[0] for each in (leech, seed)]
                with on(2):
                    counted = line_bytes(device) - counted
            wrong = contents.difference_soon(source_of(source), os.path.join(target, "it"))
            if wrong:
                raise RuntimeError(wrong)
            return {"wall s": found["seconds"], "line MiB": counted / (1 << 20), "leech CPU s": cpu[0],
                    "seed CPU s": cpu[1], "leech MiB": peaks[0], "seed MiB": peaks[1]}
    finally:
        shutil.rmtree(target, ignore_errors=True)


def source_of(folder):
    return os.path.join(folder, "it")


class Loopback:
    """Both on one machine, on addresses that do not tell."""

    title = "loopback"

    def __enter__(self):
        return (lambda _: Here()), ("10.99.0.1", "10.99.0.2"), "lo"

    def __exit__(self, *_):
        pass


class Here:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


class Line:
    def __init__(self, rtt, rate, scratch):
        self.net = wan.Network(2, rtt, rate, scratch)
        self.title = self.net.title

    def __enter__(self):
        return self.net.on, (self.net.address(1), self.net.address(2)), "wan0"

    def __exit__(self, *_):
        self.net.close()


def bench(name, source, scratch, make, options):
    torrent = os.path.join(scratch, name + ".torrent")
    if not os.path.exists(torrent):
        swarm.create(source_of(source), torrent, "v2", "auto")
    table = measure.Table(options.json)
    line = make()
    with line as where:
        for _ in range(options.runs):
            for case, more in (("with", ()), ("without", ("--no-compression",))):
                try:
                    table.add(f"{name}, {case}", **once(torrent, source, scratch, where, more))
                except (RuntimeError, OSError) as error:
                    print(f"{name}, {case}: FAILED: {error}", file=sys.stderr)
    size = sum(os.path.getsize(path) for path in contents.files(source_of(source)).values()) if os.path.isdir(
        source_of(source)) else os.path.getsize(source_of(source))
    print(f"\n{name}: {size >> 20} MiB, {line.title}, {options.runs} rounds")
    table.show()
    if len(table.rows) == 2:
        ratio = table.median(f"{name}, with", "wall s") / table.median(f"{name}, without", "wall s")
        print(f"{name}: time with compression over time without: {ratio:.3f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=measure.size, default=1 << 30, help="bytes of text and of random data; 1G without")
    parser.add_argument("--image-size", type=measure.size, help="no more of the image than so many bytes")
    parser.add_argument("--image", help="a disk image; the Debian of interop/vm without")
    parser.add_argument("--text", default=PLACES, help="where text is looked for")
    parser.add_argument("--runs", type=int, default=3, help="rounds; 3 without")
    parser.add_argument("--rtt", type=int, default=0, help="milliseconds there and back; 0 without")
    parser.add_argument("--rate", type=int, default=100, help="Mbit/s of the line; 100 without")
    parser.add_argument("--folder", default="/dev/shm", help="a tmpfs without")
    parser.add_argument("--only", default="text,image,random,loopback", help="all of them without")
    parser.add_argument("--json", help="a file for every single figure, one object a line")
    options = parser.parse_args()
    measure.describe_machine()
    measure.say_load()
    wanted = options.only.split(",")
    with tempfile.TemporaryDirectory(prefix="swarm-frames-", dir=options.folder) as scratch:
        def line():
            return Line(options.rtt, options.rate, scratch)

        def folder(name):
            found = os.path.join(scratch, name)
            os.makedirs(found)
            return found

        if "text" in wanted:
            source = folder("text")
            total = gather(options.text.split(","), source_of(source), options.size)
            print(f"text: {total >> 20} MiB of distinct files" + (
                "" if total >= options.size else ", which is all there is here"))
            bench("text", source, scratch, line, options)
            shutil.rmtree(source)
        if "image" in wanted:
            source = folder("image")
            path = options.image or os.path.join(machine.image(), "root.ext4")
            with open(path, "rb") as disk, open(source_of(source), "wb") as file:
                left = options.image_size or os.path.getsize(path)
                while left > 0 and (part := disk.read(min(left, 1 << 22))):
                    left -= file.write(part)
            bench("image", source, scratch, line, options)
            shutil.rmtree(source)
        if "random" in wanted or "loopback" in wanted:
            source = folder("random")
            measure.fill(source_of(source), options.size)
            if "random" in wanted:
                bench("random", source, scratch, line, options)
            if "loopback" in wanted:
                bench("random at once", source, scratch, Loopback, options)


main()
