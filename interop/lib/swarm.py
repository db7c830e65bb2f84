"""Our program, and the names in its JSON: the one place that knows them."""
import json
import os
import re
import subprocess

PROGRAM = os.environ.get("SWARM") or os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "../../.build/release/swarm")


class Failure(Exception):
    """Our program ended with a status that was not asked for."""


def run(*arguments, stdin=None, timeout=300):
    """Runs the program; arguments may be bytes. Standard output and error are bytes."""
    command = [os.fsencode(PROGRAM)] + [
        each if isinstance(each, bytes) else os.fsencode(str(each)) for each in arguments]
    return subprocess.run(command, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=timeout, check=False)


def run_json(*arguments, statuses=(0,)):
    """Runs the program with --json; its one object, and its status."""
    result = run(*arguments, "--json")
    if result.returncode not in statuses:
        raise Failure(f"swarm {arguments!r}: status {result.returncode}: "
                      + result.stderr.decode(errors="replace").strip())
    return json.loads(result.stdout), result.returncode


def create(path, output, kind, piece_length, *more):
    """Makes a torrent of `path`. Returns (v1 infohash, v2 infohash), in hex or None."""
    answer, _ = run_json("create", path, "-o", output, "--format", kind,
                         "--piece-length", piece_length, *more)
    return answer.get("infohash_v1"), answer.get("infohash_v2")


class Listing:
    """What `swarm inspect --json --files` says."""

    def __init__(self, torrent):
        answer, _ = run_json("inspect", torrent, "--files")
        self.infohashes = (answer.get("infohash_v1"), answer.get("infohash_v2"))
        self.name = name_bytes(answer["name"])
        self.piece_length = answer["piece_length"]
        self.layers_are_right = answer.get("piece_layers") in ("right", "none", None)
        self.files = [
            (name_bytes(each["path"]), each["length"], "executable" in each.get("attributes", []),
             name_bytes(each["symlink"]) if each.get("symlink") else None)
            for each in answer["files"]]


class Verdict:
    """What `swarm verify --json` says."""

    def __init__(self, torrent, folder):
        answer, self.status = run_json("verify", torrent, folder, statuses=(0, 1))
        self.all_is_right = answer["ok"]
        # path → list of (start, end) of bytes that differ
        self.faults = {
            name_bytes(each["path"]): [tuple(r) for r in each.get("ranges", [])]
            for each in answer["files"] if not each.get("ok", False)}


def name_bytes(text):
    r"""The bytes of a name as we print it: \xNN for a byte, \\ for a backslash, else UTF-8."""
    def one(match):
        return b"\\" if match[0] == rb"\\" else bytes([int(match[0][2:], 16)])
    return re.sub(rb"\\\\|\\x[0-9a-f]{2}", one, text.encode())
