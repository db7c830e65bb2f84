"""Trees of files to make torrents of, always the same bytes, and what is in them."""
import hashlib
import os
import stat

BLOCK = 16384
PIECE = 65536


def content(seed, size):
    """`size` bytes that look random and are the same every time."""
    return hashlib.shake_128(repr(seed).encode()).digest(size)


def write(folder, name, data, executable=False):
    """A file at the bytes `name` below `folder`, with the folders it needs."""
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)
    os.chmod(path, 0o755 if executable else 0o644)


def files(sizes):
    """A tree of files: a list of (name, size)."""
    def make(folder):
        for name, size in sizes:
            name = name.encode() if isinstance(name, str) else name
            write(folder, name, content(name, size))
    return make


def single(size, executable=False):
    """One file, not in a folder."""
    def make(path):
        with open(path, "wb") as file:
            file.write(content("single", size))
        os.chmod(path, 0o755 if executable else 0o644)
    return make


def sparse_image(path):
    """200 MiB, nearly all of it holes."""
    with open(path, "wb") as file:
        file.truncate(200 << 20)
        for offset in (0, 5 << 20, (77 << 20) + 12345, (200 << 20) - 3):
            file.seek(offset)
            file.write(content(offset, 3))


def links(folder):
    """Links to a file, a folder, another link, upwards and downwards; programs."""
    write(folder, b"bin/tool", content("tool", 20000), executable=True)
    write(folder, b"bin/other", content("other", 10), executable=True)
    write(folder, b"share/doc/text", content("text", BLOCK * 5 + 1))
    os.symlink(b"bin/tool", os.path.join(folder, b"tool"))
    os.symlink(b"../../bin/other", os.path.join(folder, b"share/doc/other"))
    os.symlink(b"share/doc", os.path.join(folder, b"doc"))
    os.symlink(b"tool", os.path.join(folder, b"again"))
    os.symlink(b"text", os.path.join(folder, b"share/doc/zlast"))


def around_boundaries(folder):
    """Files that end just before, at and after the ends of blocks and pieces, empty ones between."""
    for size in sorted({unit * count + more for unit in (BLOCK, PIECE, 1 << 20)
                        for count in (1, 2, 3) for more in (-1, 0, 1)} | {0, 1}):
        write(folder, b"%08d" % size, content(size, size))
        write(folder, b"%08d.empty" % size, b"")


def piece_layer_twins(folder):
    """The same content twice: one pieces root, one piece layer, two files."""
    for name in (b"one", b"two", b"folder/three"):
        write(folder, name, content("twin", 5 * PIECE + 7))


SINGLE = {
    "one-byte": single(1),
    "less-than-a-block": single(1000),
    "a-block": single(BLOCK),
    "a-block-and-a-byte": single(BLOCK + 1),
    "a-piece": single(PIECE),
    "a-piece-and-a-byte": single(PIECE + 1),
    "many-pieces": single(3 * (1 << 20) + 7),
    "program": single(40000, executable=True),
    "sparse-image": sparse_image,
}

FOLDERS = {
    "one-file": files([("only", 70000)]),
    "many-small": files([(f"{i % 7}/{i:03}", (i * 37) % 400) for i in range(300)]),
    "nested": files([("/".join(f"level{i}" for i in range(depth)) + "/file", 1000 * depth)
                     for depth in range(1, 25)]),
    "unicode": files([("caf\u00e9", 1), ("cafe\u0301", 20000), ("\u65e5\u672c\u8a9e/\u30d5\u30a1", 3),
                      ("\u0434\u0430\u043d\u043d\u044b\u0435.csv", 40000),
                      ("\U0001f41d", 5), ("\u05d0\u05d1", 6), ("\uff21", 7), ("\U00010000", 8)]),
    "not-utf-8": files([(b"\xff\xfe", 10), (b"caf\xe9", 20000), (b"\xc3", 4), (b"\xe9t\xe9/\x80", 5),
                        (b"plain", 70000)]),
    "odd-names": files([(b"back\\slash", 1), (b"a:b", 2), (b"tab\there", 3), (b"line\nend", 4),
                        (b" lead", 5), (b"trail ", 6), (b".hidden", 7), (b"CON", 8), (b"..x", 9),
                        (b"x" * 255, 10), (b"\"quote'", 11), (b"trail.", 12), (b"~", 13)]),
    "empty-among": files([("0-empty", 0), ("a", 20000), ("b-empty", 0), ("c", 100000),
                          ("z-empty", 0)]),
    "only-empty": files([("a", 0), ("b/c", 0)]),
    "links": links,
    "case": files([("File", 10), ("file", 20), ("FILE", 30), ("dir/x", 40), ("Dir/x", 50)]),
    "sort-order": files([("a.b", 1), ("a b", 20000), ("a/b", 3), ("a/ b", 4), ("a-/c", 5), ("a0", 6),
                         ("a/a/a", 7), ("B", 70000), ("a\x01", 8), ("a!/b", 9), ("\u00e4", 10)]),
    "boundaries": around_boundaries,
    "twins": piece_layer_twins,
}


def all_trees(folder, names=None):
    """Makes every tree, or those named, in `folder`. Yields (name, path)."""
    os.makedirs(folder, exist_ok=True)
    for name, make in (SINGLE | FOLDERS).items():
        if names is None or name in names:
            path = os.path.join(folder, name.encode() + (b".bin" if name in SINGLE else b""))
            if name in FOLDERS:
                os.makedirs(path)
            make(path)
            yield name, path


def entries(path):
    """What a torrent of `path` holds, in the order of a file tree (BEP 52): a list of (parts,
    size, is executable, parts of the link's target from the top, or None). For one file the
    parts are its name."""
    if not os.path.isdir(path):
        info = os.lstat(path)
        return [([os.path.basename(path)], info.st_size, bool(info.st_mode & stat.S_IXUSR), None)]
    found = []
    for folder, folders, names in os.walk(path):
        links_to_folders = [each for each in folders if os.path.islink(os.path.join(folder, each))]
        for name in names + links_to_folders:
            full = os.path.join(folder, name)
            parts = os.path.relpath(full, path).split(b"/")
            if os.path.islink(full):
                target = os.path.normpath(os.path.join(*parts[:-1], os.readlink(full)))
                found.append((parts, 0, False, target.split(b"/")))
            else:
                info = os.lstat(full)
                found.append((parts, info.st_size, bool(info.st_mode & stat.S_IXUSR), None))
    return sorted(found, key=lambda entry: entry[0])
