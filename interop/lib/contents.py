"""What is sent around: a tree with all that goes wrong with trees, and whether it arrived."""
import filecmp
import os
import time

import trees


def make(folder, mib, name=b"data"):
    """A tree `name` below `folder` of about so many MiB: one large file, several small ones of odd
    sizes, empty ones, nested folders. Returns its path."""
    top = os.path.join(os.fsencode(folder), name)
    trees.write(top, b"large", large(mib * (1 << 20) + 12345, mib))
    for number, size in enumerate((1, 999, 16383, 16384, 16385, 70001, 300007)):
        trees.write(top, b"small/%d" % number, trees.content((mib, number), size))
    trees.write(top, b"empty", b"")
    trees.write(top, b"nested/deep/deeper/file", trees.content((mib, "nested"), 123457))
    trees.write(top, b"nested/deep/nothing", b"")
    return top


def large(size, seed):
    """Bytes that look random, made faster than trees.content makes them; no block like another."""
    unit = trees.content(seed, (1 << 20) - 8)
    whole = b"".join(unit + number.to_bytes(8, "big") for number in range(-(-size // (1 << 20))))
    return whole[:size]


def files(top):
    return {os.path.relpath(os.path.join(folder, name), top): os.path.join(folder, name)
            for folder, _, names in os.walk(top) for name in names}


def difference(left, right, others_leavings=False):
    """None where both hold the same names and bytes, else what differs. `others_leavings`: padding
    that clients without BEP 47 write as files may be there too, and empty files, which some do not
    make, may lack."""
    if os.path.isfile(left):
        same = os.path.isfile(right) and filecmp.cmp(left, right, shallow=False)
        return None if same else f"{right!r} differs"
    ours, theirs = files(left), files(right)
    if others_leavings:
        theirs = {name: path for name, path in theirs.items() if not name.startswith(b".pad")}
        ours = {name: path for name, path in ours.items() if name in theirs or os.stat(path).st_size}
    if ours.keys() != theirs.keys():
        return f"names: {sorted(ours.keys() ^ theirs.keys())[:5]}"
    for name, path in ours.items():
        if not filecmp.cmp(path, theirs[name], shallow=False):
            return f"{name!r} differs"
    return None


def difference_soon(left, right, others_leavings=False, seconds=5):
    """As `difference`, for clients that say "finished" before their last bytes are written."""
    deadline = time.monotonic() + seconds
    while True:
        found = difference(left, right, others_leavings)
        if found is None or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


def held(folder):
    """Bytes on disk below a folder, holes not counted."""
    total = 0
    for path in files(folder).values():
        try:
            total += os.stat(path).st_blocks * 512
        except OSError:  # gone meanwhile
            pass
    return total
