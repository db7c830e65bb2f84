"""Making a torrent of one large file in the page cache: our program, libtorrent, mktorrent and
transmission-create in turn, medians of several rounds, beside what the hash alone does.

Wall seconds, CPU seconds and peak resident memory are of the whole process, by the kernel's
account. Asserts nothing about time.
"""
import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

# What libtorrent's own example for making torrents does, in a process of its own.
LIBTORRENT = """
import os, sys
import libtorrent as lt
path, output, kind, piece = sys.argv[1:]
flags = {"v1": lt.create_torrent.v1_only, "v2": lt.create_torrent.v2_only, "hybrid": 0}[kind]
files = lt.file_storage()
lt.add_files(files, path)
maker = lt.create_torrent(files, int(piece), flags)
lt.set_piece_hashes(maker, os.path.dirname(path))
with open(output, "wb") as file:
    file.write(lt.bencode(maker.generate()))
"""
PIECE = 20  # 2^20 bytes: 1 MiB


def size(text):
    units = {"K": 10, "M": 20, "G": 30}
    return int(text[:-1]) << units[text[-1]] if text[-1] in units else int(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=size, default=1 << 30, help="bytes, such as 256M; 1G without")
    parser.add_argument("--runs", type=int, default=5, help="rounds that count; 5 without")
    parser.add_argument("--folder", help="where the file is put; a tmpfs with room without")
    parser.add_argument("--json", help="a file for every single figure, one object a line")
    parser.add_argument("--swarm", default=".build/release/swarm", help="our program")
    parser.add_argument("--limit", default=".build/release/swarm-bench", help="the hash alone")
    options = parser.parse_args()
    folder = options.folder or roomy_folder(options.size)
    describe_machine(folder)
    with tempfile.TemporaryDirectory(prefix="swarm-bench-", dir=folder) as scratch:
        path = os.path.join(scratch, "content.bin")
        fill(path, options.size)
        output = os.path.join(scratch, "out.torrent")
        figures, limits = measure(commands(options.swarm, path, output), output, options)
    show(figures, limits, options.size)


def roomy_folder(byte_count):
    """A tmpfs where there is room for the file twice, else the folder for temporary files."""
    shared = "/dev/shm"
    if os.access(shared, os.W_OK) and shutil.disk_usage(shared).free > 2 * byte_count:
        return shared
    return tempfile.gettempdir()


def describe_machine(folder):
    model = "unknown CPU"
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    with open("/proc/meminfo") as file:
        memory = int(file.readline().split()[1]) >> 20
    print(f"machine: {model}, {len(os.sched_getaffinity(0))} cores, {memory} GiB, "
          f"Linux {platform.release()}, content in {folder}")
    for command in (["mktorrent", "-h"], ["transmission-create", "-V"]):
        said = subprocess.run(command, capture_output=True, text=True, check=False)
        print("version:", (said.stdout + said.stderr).strip().split("\n")[0])
    import libtorrent
    print("version: libtorrent", libtorrent.__version__)


def fill(path, byte_count):
    """Bytes that no file system and no hash has a short way for."""
    with open(path, "wb") as file:
        left = byte_count
        while left:
            left -= file.write(os.urandom(min(left, 1 << 22)))
    with open(path, "rb") as file:
        while file.read(1 << 22):
            pass


def commands(swarm, path, output):
    """What is compared: name → command."""
    piece = str(1 << PIECE)

    def ours(kind, piece):
        return [swarm, "create", path, "-o", output, "--format", kind, "--piece-length", piece]

    def theirs(kind):
        return [sys.executable, "-W", "ignore", "-c", LIBTORRENT, path, output, kind, piece]

    cores = str(len(os.sched_getaffinity(0)))
    return {
        "swarm v2": ours("v2", piece),
        "libtorrent v2": theirs("v2"),
        "swarm v2, auto piece length": ours("v2", "auto"),
        "swarm hybrid": ours("hybrid", piece),
        "libtorrent hybrid": theirs("hybrid"),
        "swarm v1": ours("v1", piece),
        "libtorrent v1": theirs("v1"),
        "mktorrent v1": ["mktorrent", "-t", cores, "-l", str(PIECE), "-o", output, path],
        "transmission v1": ["transmission-create", "-s", str(1 << (PIECE - 10)), "-o", output, path],
        "cat to nowhere": ["cat", path],
    }


def measure(cases, output, options):
    """Runs the cases and the hash alone in turn; the first round only warms up."""
    figures = {name: [] for name in cases}
    limits = {}
    for round_number in range(options.runs + 1):
        for name, command in cases.items():
            if os.path.exists(output):
                os.remove(output)
            run = timed(command)
            if round_number > 0:
                figures[name].append(run)
                record(options, case=name, **run)
        if round_number > 0:
            for each in hash_limit(options.limit, options.size):
                name = f"{each['engine']}, {each['threads']} thread" + "s" * (each["threads"] > 1)
                limits.setdefault(name, []).append(each["seconds"])
                record(options, case="hash alone, " + name, wall=each["seconds"])
    return figures, limits


def record(options, **figures):
    if options.json:
        with open(options.json, "a") as file:
            file.write(json.dumps({"bench": "create", "bytes": options.size, **figures}) + "\n")


def timed(command):
    """Seconds and MiB of one run. GNU time starts it, since a child of ours would begin with our
    memory on its account."""
    with tempfile.NamedTemporaryFile("r") as account:
        started = time.monotonic()
        process = subprocess.Popen(["/usr/bin/time", "-f", "%M", "-o", account.name] + command,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        errors = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            sys.exit(f"{command[0]}: status {process.returncode}: {errors.decode(errors='replace')}")
        memory = int(account.read())
    return {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "rss": memory / 1024}


def hash_limit(program, byte_count):
    said = subprocess.run([program, "hash", str(byte_count >> 20)], check=True, capture_output=True)
    return [json.loads(line) for line in said.stdout.splitlines()]


def show(figures, limits, byte_count):
    middle = {name: {key: statistics.median(run[key] for run in runs) for key in runs[0]}
              for name, runs in figures.items()}
    print(f"\n{byte_count >> 20} MiB, pieces of {1 << (PIECE - 10)} KiB, "
          f"median of {len(next(iter(figures.values())))} rounds")
    print(f"{'':32}{'wall s':>9}{'fastest':>9}{'CPU s':>8}{'MiB':>8}{'GB/s':>8}")
    for name, row in middle.items():
        fastest = min(run["wall"] for run in figures[name])
        print(f"{name:32}{row['wall']:9.3f}{fastest:9.3f}{row['cpu']:8.2f}{row['rss']:8.0f}"
              f"{byte_count / row['wall'] / 1e9:8.2f}")
    print("\nSHA-256 of blocks in memory, nothing else")
    alone = {name: statistics.median(seconds) for name, seconds in limits.items()}
    for name, seconds in alone.items():
        print(f"{name:32}{seconds:9.3f}{min(limits[name]):9.3f}{'':16}"
              f"{byte_count / seconds / 1e9:8.2f}")
    best = min(alone.values())
    print()
    for kind in ("v2", "hybrid", "v1"):
        times = middle[f"libtorrent {kind}"]["wall"] / middle[f"swarm {kind}"]["wall"]
        print(f"swarm {kind}: {times:.1f} times as fast as libtorrent")
    print(f"swarm v2: {100 * best / middle['swarm v2']['wall']:.0f} % of the hash alone on all cores")


main()
