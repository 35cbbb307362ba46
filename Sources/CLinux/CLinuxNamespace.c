#define _GNU_SOURCE
#include "CLinuxNamespace.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

// Async-signal-safe calls only: the child is a copy of a process whose other state must not be touched.
static void hold(int ready, int released) {
  int failure = 0;
  char byte;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (unshare(CLONE_NEWUSER) != 0) failure = errno;
  if (write(ready, &failure, sizeof failure) != sizeof failure || failure) _exit(1);
  close(ready);
  // Ends at the end of the pipe, when nobody can write to it any more.
  while (read(released, &byte, 1) < 0 && errno == EINTR) {
  }
  _exit(0);
}

pid_t cl_hold_new_user_namespace(int *release) {
  int ready[2], held[2], failure = 0;
  if (pipe2(ready, O_CLOEXEC) != 0) return -1;
  if (pipe2(held, O_CLOEXEC) != 0) {
    failure = errno;
    close(ready[0]);
    close(ready[1]);
    errno = failure;
    return -1;
  }
  pid_t pid = fork();
  if (pid == 0) {
    close(ready[0]);
    close(held[1]);
    hold(ready[1], held[0]);
  }
  if (pid < 0) failure = errno;
  close(ready[1]);
  close(held[0]);
  if (pid > 0 && read(ready[0], &failure, sizeof failure) != sizeof failure) failure = EIO;
  close(ready[0]);
  if (!failure) {
    *release = held[1];
    return pid;
  }
  close(held[1]);
  if (pid > 0) waitpid(pid, 0, 0);
  errno = failure;
  return -1;
}

int cl_enter_user_namespace(int descriptor) { return setns(descriptor, CLONE_NEWUSER); }
