/// Sockets that have a path, and reads that do not wait: what the C library hides from Swift behind
/// feature macros.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// A socket that listens at `path`, which nobody but the owner can connect to. -1 with errno;
/// ENAMETOOLONG for a path of 108 bytes or more.
int clocal_listen(const char *path, int backlog);

/// Whether somebody listens at `path`: 1, or 0, or -1 with errno where that cannot be told.
int clocal_is_served(const char *path);

/// A socket that is connected to who listens at `path`; -1 with errno.
int clocal_connect(const char *path);

/// The next connection that waits, non-blocking; -1 with errno. `user` is who made it.
int clocal_accept(int listener, uid_t *user);

/// Reads exactly `count` bytes at `offset` if they are in memory. False if not, or if the file is
/// shorter, or if the file system cannot tell.
int clocal_read_cached(int file, void *bytes, size_t count, int64_t offset);
