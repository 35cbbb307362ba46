#define _GNU_SOURCE
#include "CLinuxProcess.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

char **cl_environ(void) { return environ; }

int cl_pipe(int ends[2], int nonblocking) { return pipe2(ends, O_CLOEXEC | (nonblocking ? O_NONBLOCK : 0)); }

int cl_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0u); }
int cl_pidfd_send_signal(int pidfd, int signal_number) {
  return (int)syscall(SYS_pidfd_send_signal, pidfd, signal_number, (void *)0, 0u);
}

int cl_spawn(pid_t *pid, const char *path, char *const argv[], char *const envp[], const char *directory, const int descriptors[], int count,
             int flags) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none, defaults;
  short spawn_flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;

  int status = posix_spawn_file_actions_init(&actions);
  if (status != 0) return status;
  status = posix_spawnattr_init(&attributes);
  if (status != 0) {
    posix_spawn_file_actions_destroy(&actions);
    return status;
  }
  sigemptyset(&none);
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  if (flags & CL_SPAWN_NEW_GROUP) spawn_flags |= POSIX_SPAWN_SETPGROUP;
  if (flags & CL_SPAWN_NEW_SESSION) spawn_flags |= POSIX_SPAWN_SETSID;

  if (!status) status = posix_spawnattr_setsigmask(&attributes, &none);
  if (!status) status = posix_spawnattr_setsigdefault(&attributes, &defaults);
  if (!status) status = posix_spawnattr_setpgroup(&attributes, 0);
  if (!status) status = posix_spawnattr_setflags(&attributes, spawn_flags);
  for (int i = 0; i < count && !status; i++) status = posix_spawn_file_actions_adddup2(&actions, descriptors[i], i);
  if (!status) status = posix_spawn_file_actions_addclosefrom_np(&actions, count);
  if (!status && directory) status = posix_spawn_file_actions_addchdir_np(&actions, directory);
  if (!status) status = posix_spawn(pid, path, &actions, &attributes, argv, envp);

  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return status;
}

int cl_access_in_cgroup(const char *processes, const char *path, int mode) {
  enum { untried = 255 };
  pid_t child = fork();
  if (child < 0) return -1;
  if (child == 0) {
    // Only calls that are safe between fork and exec in a program with threads. "0" stands for the process that writes it.
    int file = open(processes, O_WRONLY | O_CLOEXEC);
    if (file < 0 || write(file, "0", 1) != 1) _exit(untried);
    _exit(syscall(SYS_faccessat, AT_FDCWD, path, mode) == 0 ? 0 : errno);
  }
  int status = 0;
  pid_t ended = 0;
  for (int i = 0; i < 10000 && ended == 0; i++) {
    ended = waitpid(child, &status, WNOHANG);
    if (ended == 0) usleep(100);
  }
  if (ended == 0) {
    // It dies when it is thawed, which is not waited for.
    kill(child, SIGKILL);
    return -1;
  }
  if (ended < 0 || !WIFEXITED(status) || WEXITSTATUS(status) == untried) return -1;
  return WEXITSTATUS(status);
}

static const int relayed[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGWINCH, SIGUSR1, SIGUSR2};
enum { relayed_count = sizeof relayed / sizeof relayed[0] };
static struct sigaction replaced[relayed_count];
static atomic_int relay_descriptor = -1;
static atomic_flag relay_taken = ATOMIC_FLAG_INIT;

// Async-signal-safe: write(2) only, errno kept.
static void relay_signal(int number, siginfo_t *info, void *context) {
  (void)context;
  int saved = errno;
  struct cl_signal_record record = {.number = number, .from_terminal = info->si_code == SI_KERNEL};
  ssize_t written = write(atomic_load(&relay_descriptor), &record, sizeof record);
  (void)written;
  errno = saved;
}

int cl_signal_relay_begin(int write_descriptor) {
  if (atomic_flag_test_and_set(&relay_taken)) {
    errno = EBUSY;
    return -1;
  }
  atomic_store(&relay_descriptor, write_descriptor);
  struct sigaction action = {.sa_sigaction = relay_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigemptyset(&action.sa_mask);
  for (int i = 0; i < relayed_count; i++) {
    sigaction(relayed[i], NULL, &replaced[i]);
    if (replaced[i].sa_handler != SIG_IGN) sigaction(relayed[i], &action, NULL);
  }
  return 0;
}

void cl_signal_relay_end(void) {
  for (int i = 0; i < relayed_count; i++) sigaction(relayed[i], &replaced[i], NULL);
  atomic_store(&relay_descriptor, -1);
  atomic_flag_clear(&relay_taken);
}
