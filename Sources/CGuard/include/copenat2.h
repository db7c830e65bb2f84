/// openat2(2), which glibc 2.36 has no function for and Swift cannot reach through syscall(2).
#pragma once

/// Opens `path` beneath the folder `directory`: no symlink on the way or at the end is followed, no
/// "..", no absolute path and no magic link leads out. `flags` and `mode` as for openat(2). Returns
/// a descriptor, or -1 with errno; ENOSYS where the kernel has no openat2 (before 5.6).
int copenat2_beneath(int directory, const char *path, int flags, unsigned mode);
