// Starting, watching and signalling processes: posix_spawn(3), pidfd_open(2) and sigaction(2) in the form envctl needs.
#pragma once
#include <sys/types.h>

enum { CL_SPAWN_NEW_GROUP = 1, CL_SPAWN_NEW_SESSION = 2 };

// Starts `path` with `descriptors` as 0, 1 and so on, `count` of them, and no other; those with a number below `count` must be in their place.
// Signals are unblocked and SIGPIPE is back at its default; other ignored signals stay ignored, as nohup(1) wants.
// `directory` may be NULL. Returns 0 or an errno, also when exec fails.
int cl_spawn(pid_t *pid, const char *path, char *const argv[], char *const envp[], const char *directory, const int descriptors[], int count,
             int flags);

// pipe2(2), close-on-exec, and non-blocking when asked.
int cl_pipe(int ends[2], int nonblocking);

// The variables of this process, as environ(7) describes them.
char **cl_environ(void);

// pidfd_open(2); the descriptor is close-on-exec.
int cl_pidfd_open(pid_t pid);
int cl_pidfd_send_signal(int pidfd, int signal_number);

// access(2) of `path` by a child that first joins the cgroup whose cgroup.procs is `processes`. Returns 0 or the errno of the access; -1 when
// that could not be tried. The child is given a second: a cgroup may be frozen.
int cl_access_in_cgroup(const char *processes, const char *path, int mode);

// One received signal as the relay writes it: `from_terminal` is set when the kernel's terminal driver sent it, to the whole foreground group.
struct cl_signal_record {
  int number;
  int from_terminal;
};

// Installs handlers for SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGWINCH, SIGUSR1 and SIGUSR2 that write a record to `write_descriptor`.
// A signal that is ignored stays ignored. One relay at a time in a process: -1 with EBUSY otherwise.
int cl_signal_relay_begin(int write_descriptor);
// Puts back what cl_signal_relay_begin replaced.
void cl_signal_relay_end(void);
