#define _GNU_SOURCE
#include "copenat2.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int copenat2_beneath(int directory, const char *path, int flags, unsigned mode) {
  struct open_how how;
  memset(&how, 0, sizeof how);
  how.flags = (unsigned)flags;
  // Unlike openat, openat2 refuses a mode that would not be used.
  how.mode = (flags & O_CREAT) != 0 ? mode : 0;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  int descriptor;
  int tries = 0;
  do {
    descriptor = (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
    // EAGAIN: a rename elsewhere raced with the look-up; the kernel asks to try again.
  } while (descriptor < 0 && (errno == EINTR || (errno == EAGAIN && ++tries < 32)));
  return descriptor;
}
