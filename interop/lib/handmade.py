"""Torrents built by hand, as nested dicts, for taking apart. Independent of any library."""
import hashlib

import trees
from bencode import encode

BLOCK = trees.BLOCK
PIECE = 32768
FILES = [([b"a"], 50000), ([b"dir", b"b"], 16384), ([b"dir", b"c"], 100), ([b"empty"], 0)]


def sha256(data):
    return hashlib.sha256(data).digest()


def pairs(layer):
    return [sha256(layer[at] + layer[at + 1]) for at in range(0, len(layer), 2)]


def root_and_layer(data):
    """The pieces root of a file, and its piece layer, or None for a file of one piece. BEP 52."""
    layer = [sha256(data[at:at + BLOCK]) for at in range(0, len(data), BLOCK)]
    leaves = 1
    while leaves < len(layer):
        leaves *= 2
    layer += [bytes(32)] * (leaves - len(layer))
    height, pieces = BLOCK, None
    while True:
        if height == PIECE and len(data) > PIECE:
            pieces = b"".join(layer[:-(-len(data) // PIECE)])
        if len(layer) == 1:
            return layer[0], pieces
        layer, height = pairs(layer), height * 2


def put(tree, parts, value):
    for part in parts[:-1]:
        tree = tree.setdefault(part, {})
    tree[parts[-1]] = {b"": value}


def torrent(kind, files=None):
    """A right torrent of `files`: a list of (parts, size)."""
    files = FILES if files is None else files
    info = {b"name": b"data", b"piece length": PIECE}
    outer = {b"info": info}
    contents = [trees.content(parts, size) for parts, size in files]
    if kind != "v1":
        info[b"meta version"] = 2
        info[b"file tree"] = {}
        outer[b"piece layers"] = {}
        for (parts, size), data in zip(files, contents):
            value = {b"length": size}
            if size:
                value[b"pieces root"], layer = root_and_layer(data)
                if layer is not None:
                    outer[b"piece layers"][value[b"pieces root"]] = layer
            put(info[b"file tree"], parts, value)
    if kind != "v2":
        info[b"files"] = []
        stream = b""
        for (parts, size), data in zip(files, contents):
            info[b"files"].append({b"length": size, b"path": parts})
            stream += data
            gap = -size % PIECE
            if kind == "hybrid" and gap:
                info[b"files"].append({b"attr": b"p", b"length": gap, b"path": [b".pad", b"%d" % gap]})
                stream += bytes(gap)
        info[b"pieces"] = b"".join(hashlib.sha1(stream[at:at + PIECE]).digest()
                                   for at in range(0, len(stream), PIECE))
    return outer


def small(kind):
    """The bytes of a right torrent of a few hundred bytes."""
    return encode(torrent(kind, [([b"a"], 33000), ([b"b", b"c"], 5)]))
