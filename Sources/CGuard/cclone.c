#define _GNU_SOURCE
#include "cclone.h"

#include <errno.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

int cclone_reflink(int source, int target) {
  int result;
  do {
    result = ioctl(target, FICLONE, source);
  } while (result != 0 && errno == EINTR);
  return result;
}

int64_t cclone_copy(int source, int target, int64_t offset, size_t count) {
  ssize_t copied;
  do {
    __off64_t from = offset;
    __off64_t to = offset;
    copied = copy_file_range(source, &from, target, &to, count, 0);
  } while (copied < 0 && errno == EINTR);
  return copied;
}

int64_t cclone_next_data(int file, int64_t offset) { return lseek(file, offset, SEEK_DATA); }

int64_t cclone_next_hole(int file, int64_t offset) { return lseek(file, offset, SEEK_HOLE); }

int cclone_sync(int file) { return syncfs(file); }
