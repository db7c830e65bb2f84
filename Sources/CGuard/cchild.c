#define _GNU_SOURCE
#include "cchild.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t reap(pid_t id, int *status) {
  pid_t found;
  do found = waitpid(id, status, 0);
  while (found < 0 && errno == EINTR);
  return found;
}

// Between fork and exec only what is safe in a signal handler, as other threads may hold locks.
static void become(char *const *words, int has_streams, pid_t parent) {
  for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return;
  // Who is gone already will not be noticed any more.
  if (getppid() != parent) _exit(127);
  if (!has_streams) {
    int nothing = open("/dev/null", O_RDWR);
    if (nothing < 0) return;
    for (int stream = 0; stream <= 2; stream++)
      if (dup2(nothing, stream) < 0) return;
    if (nothing > 2) close(nothing);
  }
  sigset_t none;
  sigemptyset(&none);
  if (sigprocmask(SIG_SETMASK, &none, NULL) != 0) return;
  execvp(words[0], words);
}

int cchild_start(char *const *words, int has_streams, pid_t *id) {
  // Closed by exec: what comes through it is why there was none.
  int news[2];
  if (pipe2(news, O_CLOEXEC) != 0) return -1;
  // No handler of ours may run in the child.
  sigset_t all, before;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  pid_t parent = getpid();
  pid_t child = fork();
  if (child == 0) {
    become(words, has_streams, parent);
    int number = errno;
    while (write(news[1], &number, sizeof number) < 0 && errno == EINTR) {
    }
    _exit(127);
  }
  int number = errno;
  sigprocmask(SIG_SETMASK, &before, NULL);
  close(news[1]);
  if (child > 0) {
    ssize_t count;
    do count = read(news[0], &number, sizeof number);
    while (count < 0 && errno == EINTR);
    int status, descriptor = -1;
    if (count == 0) {
      descriptor = (int)syscall(SYS_pidfd_open, child, 0);
      number = errno;
    }
    if (descriptor >= 0) {
      close(news[0]);
      *id = child;
      return descriptor;
    }
    kill(child, SIGKILL);
    reap(child, &status);
  }
  close(news[0]);
  errno = number;
  return -1;
}

int cchild_end(pid_t id) {
  int status;
  if (reap(id, &status) < 0) return 127;
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}
