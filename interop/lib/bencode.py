"""Just enough bencode to look into torrents and to make wrong ones. Names are bytes."""


def encode(value):
    """Canonical bencode. Bytes stand for themselves, so wrong parts can be put in: see Raw."""
    if isinstance(value, Raw):
        return value.bytes
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    if isinstance(value, list):
        return b"l" + b"".join(map(encode, value)) + b"e"
    pairs = ((key.encode() if isinstance(key, str) else key, each) for key, each in value.items())
    return b"d" + b"".join(encode(key) + encode(each) for key, each in sorted(pairs)) + b"e"


class Raw:
    """Bytes that go into the encoding as they are."""

    def __init__(self, raw):
        self.bytes = raw


def decode(data):
    """A value of ints, bytes, lists and dicts with bytes for keys."""
    value, end = _decode(data, 0)
    if end != len(data):
        raise ValueError(f"{len(data) - end} bytes after the value")
    return value


def _decode(data, at):
    kind = data[at:at + 1]
    if kind == b"i":
        end = data.index(b"e", at)
        return int(data[at + 1:end]), end + 1
    if kind in (b"l", b"d"):
        parts, at = [], at + 1
        while data[at:at + 1] != b"e":
            part, at = _decode(data, at)
            parts.append(part)
        return (parts if kind == b"l" else dict(zip(parts[::2], parts[1::2]))), at + 1
    colon = data.index(b":", at)
    end = colon + 1 + int(data[at:colon])
    return data[colon + 1:end], end
