/// System calls by which a file's bytes become another's without passing through the program, and
/// which the C library hides from Swift behind a feature macro.
#pragma once

#include <stddef.h>
#include <stdint.h>

/// Makes `target` share all bytes of `source` until one of them is written to (FICLONE). Returns 0, or
/// -1 with errno where the file system cannot.
int cclone_reflink(int source, int target);

/// Copies up to `count` bytes between the same offsets of two files within the kernel. Returns how
/// many, 0 at the end of `source`, or -1 with errno.
int64_t cclone_copy(int source, int target, int64_t offset, size_t count);

/// The first byte of data from `offset` on, as the file system tells; -1 with errno ENXIO where only a
/// hole follows, with another where it cannot tell.
int64_t cclone_next_data(int file, int64_t offset);

/// The first byte of a hole from `offset` on, the end of the file at the latest; -1 with errno where
/// the file system cannot tell.
int64_t cclone_next_hole(int file, int64_t offset);

/// Puts everything of the file system that `file` is on on the medium. Returns 0, or -1 with errno.
int cclone_sync(int file);
