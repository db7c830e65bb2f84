#include "cguard.h"

#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>

static _Thread_local sigjmp_buf *volatile escape;

static void on_sigbus(int number) {
  if (escape != NULL)
    siglongjmp(*escape, 1);
  // Not ours: let the default action end the process at the same instruction.
  signal(number, SIG_DFL);
}

bool cguard_install(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_sigbus;
  sigemptyset(&action.sa_mask);
  return sigaction(SIGBUS, &action, NULL) == 0;
}

bool cguard_run(void (*function)(void *), void *argument) {
  sigjmp_buf here;
  if (sigsetjmp(here, 1) != 0) {
    escape = NULL;
    return false;
  }
  escape = &here;
  function(argument);
  escape = NULL;
  return true;
}
