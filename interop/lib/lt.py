"""libtorrent as a maker and a reader of torrents, names as bytes."""
import os

import libtorrent

import trees

KINDS = {
    "v1": libtorrent.create_torrent.v1_only,
    "v2": libtorrent.create_torrent.v2_only,
    "hybrid": 0,
}
EXECUTABLE = libtorrent.file_storage.flag_executable
SYMLINK = libtorrent.file_storage.flag_symlink
PADDING = libtorrent.file_storage.flag_pad_file


def storage(path):
    """The files of `path` in the order of a file tree, given to libtorrent one by one.

    libtorrent's own add_files lists folders in the order of the disk, which no two machines
    share, and v1 torrents keep that order. It also writes a link's target as the link has it,
    where BEP 47 wants the path from the top of the torrent. A link is executable to it, as lstat
    says.
    """
    top = os.path.basename(path)
    found = libtorrent.file_storage()
    is_folder = os.path.isdir(path)
    for parts, size, executable, target in trees.entries(path):
        name = b"/".join([top] + parts) if is_folder else top
        if target is None:
            found.add_file(name, size, flags=EXECUTABLE if executable else 0)
        else:
            found.add_file(name, 0, flags=EXECUTABLE | SYMLINK, linkpath=b"/".join(target))
    return found


def create(path, kind, piece_length, files=None, private=False):
    """libtorrent's torrent of `path`, as bytes."""
    files = files if files is not None else storage(path)
    flags = KINDS[kind] | libtorrent.create_torrent.symlinks
    maker = libtorrent.create_torrent(files, piece_length, flags)
    maker.set_priv(private)
    libtorrent.set_piece_hashes(maker, os.path.dirname(path))
    return libtorrent.bencode(maker.generate())


def as_it_would(path, kind, piece_length):
    """libtorrent's torrent of `path` with the files and the order it finds by itself."""
    files = libtorrent.file_storage()
    libtorrent.add_files(files, os.fsdecode(path), flags=libtorrent.create_torrent.symlinks)
    return create(path, kind, piece_length, files)


def infohashes(torrent):
    """(v1, v2) in hex or None, as libtorrent reads them from the bytes of a torrent."""
    both = libtorrent.torrent_info(libtorrent.bdecode(torrent)).info_hashes()
    return (str(both.v1) if both.has_v1() else None, str(both.v2) if both.has_v2() else None)


def listing(torrent):
    """Files as libtorrent loads them, padding left out: a list of (path below the name, or None
    where libtorrent changes names, size, is executable, link's target or None)."""
    info = libtorrent.torrent_info(libtorrent.bdecode(torrent))
    files = info.files()
    found = []
    for index in range(files.num_files()):
        flags = int(files.file_flags(index))
        if flags & PADDING:
            continue
        target = files.symlink(index).encode() if flags & SYMLINK else None
        found.append((files.file_path(index).encode(), files.file_size(index),
                      bool(flags & EXECUTABLE), target))
    return found
