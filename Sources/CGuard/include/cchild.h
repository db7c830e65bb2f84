/// A program as our child, which does not outlive us: neither libuv nor the C library offers that.
#pragma once

#include <sys/types.h>

/// Starts the program words[0], looked for in PATH, with `words` (closed by NULL), our environment and
/// folder; with our standard streams, or with none. All signals have their default meaning in it.
///
/// The kernel kills it when the thread that called this ends, however it ends, so that must be one that
/// lasts as long as the program does.
///
/// Gives a descriptor that is readable when the child has ended (pidfd, Linux 5.3), and its id; or -1
/// with errno, and then there is no child.
int cchild_start(char *const *words, int has_streams, pid_t *id);

/// How the child ended, of which the descriptor was readable: its status, or minus the signal's number.
int cchild_end(pid_t id);
