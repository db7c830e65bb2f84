#define _GNU_SOURCE
#include "clocal.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <unistd.h>

static const long tmpfs = 0x01021994;

static int fill(struct sockaddr_un *address, const char *path) {
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  size_t length = strlen(path);
  if (length >= sizeof address->sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  memcpy(address->sun_path, path, length);
  return 0;
}

static int fail(int socket) {
  int number = errno;
  close(socket);
  errno = number;
  return -1;
}

int clocal_listen(const char *path, int backlog) {
  struct sockaddr_un address;
  if (fill(&address, path) != 0) return -1;
  int made = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (made < 0) return -1;
  // The file of the socket gets this mode when it is bound: at no time can others connect.
  if (fchmod(made, S_IRUSR | S_IWUSR) != 0 ||
      bind(made, (struct sockaddr *)&address, sizeof address) != 0 || listen(made, backlog) != 0)
    return fail(made);
  return made;
}

int clocal_is_served(const char *path) {
  struct sockaddr_un address;
  if (fill(&address, path) != 0) return -1;
  int made = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (made < 0) return -1;
  int status = connect(made, (struct sockaddr *)&address, sizeof address);
  int number = errno;
  close(made);
  // EAGAIN: so many wait that no more are let in.
  if (status == 0 || number == EAGAIN) return 1;
  if (number == ECONNREFUSED || number == ENOENT) return 0;
  errno = number;
  return -1;
}

int clocal_connect(const char *path) {
  struct sockaddr_un address;
  if (fill(&address, path) != 0) return -1;
  int made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (made < 0) return -1;
  if (connect(made, (struct sockaddr *)&address, sizeof address) != 0) return fail(made);
  return made;
}

int clocal_accept(int listener, uid_t *user) {
  int accepted = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (accepted < 0) return -1;
  struct ucred who;
  socklen_t length = sizeof who;
  if (getsockopt(accepted, SOL_SOCKET, SO_PEERCRED, &who, &length) != 0) return fail(accepted);
  *user = who.uid;
  return accepted;
}

int clocal_read_cached(int file, void *bytes, size_t count, int64_t offset) {
  struct iovec part = {bytes, count};
  ssize_t got = preadv2(file, &part, 1, offset, RWF_NOWAIT);
  if (got == (ssize_t)count) return 1;
  if (got >= 0 || errno != EOPNOTSUPP) return 0;
  // A file system in memory has no need for such a flag, and older ones do not know it.
  struct statfs system;
  if (fstatfs(file, &system) != 0 || system.f_type != tmpfs) return 0;
  return preadv(file, &part, 1, offset) == (ssize_t)count;
}
