#define _GNU_SOURCE
#include "CLinuxMount.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int cl_mount(const char *source, const char *target, const char *type, unsigned long flags, const char *options) {
  return mount(source, target, type, flags, options);
}

int cl_make_root_private(void) { return mount("none", "/", 0, MS_REC | MS_PRIVATE, 0); }

static int write_map(pid_t process, const char *name, const char *map) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", process, name);
  int file = open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return -1;
  // A map is taken in one write(2) or not at all.
  ssize_t written = write(file, map, strlen(map));
  int reason = errno;
  close(file);
  errno = reason;
  return written < 0 ? -1 : 0;
}

int cl_user_namespace(const char *uid_map, const char *gid_map) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return -1;
  // As fork(2): no stack is given, so the child goes on with a copy of ours. It makes system calls only and ends with the pipe.
  pid_t process = (pid_t)syscall(SYS_clone, (unsigned long)(CLONE_NEWUSER | SIGCHLD), NULL, NULL, NULL, NULL);
  if (process == 0) {
    char byte;
    close(ends[1]);
    ssize_t count = read(ends[0], &byte, 1);
    _exit((int)count);
  }
  close(ends[0]);
  int namespace = -1;
  if (process > 0 && write_map(process, "uid_map", uid_map) == 0 && write_map(process, "gid_map", gid_map) == 0) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/user", process);
    namespace = open(path, O_RDONLY | O_CLOEXEC);
  }
  int reason = errno;
  close(ends[1]);
  if (process > 0) {
    // Another thread's child may hold the pipe's end too, so that closing ours tells nothing.
    kill(process, SIGKILL);
    while (waitpid(process, NULL, 0) < 0 && errno == EINTR) {}
  }
  errno = reason;
  return namespace;
}

// linux/mount.h cannot be included beside sys/mount.h in every release of the C library.
struct mapped_attributes {
  uint64_t set, clear, propagation, user_namespace;
};
enum { tree_clone = 1, recursive = 0x8000, empty_path = 0x1000, mapped = 0x00100000, from_empty_path = 4 };
enum { context_cloexec = 1, set_flag = 0, set_string = 1, create = 6, mount_cloexec = 1 };

int cl_bind_mapped(const char *source, const char *target, int user_namespace) {
  int tree = (int)syscall(SYS_open_tree, AT_FDCWD, source, tree_clone | recursive | O_CLOEXEC);
  if (tree < 0) return -1;
  struct mapped_attributes attributes = {.set = mapped, .user_namespace = (uint64_t)user_namespace};
  int status = (int)syscall(SYS_mount_setattr, tree, "", empty_path | recursive, &attributes, sizeof attributes);
  if (status == 0) status = (int)syscall(SYS_move_mount, tree, "", AT_FDCWD, target, from_empty_path);
  int reason = errno;
  close(tree);
  errno = reason;
  return status;
}

int cl_attach_mount(int mount, const char *target) {
  return (int)syscall(SYS_move_mount, mount, "", AT_FDCWD, target, from_empty_path);
}

int cl_fuse_mount(const char *name, int device) {
  int context = (int)syscall(SYS_fsopen, "fuse", context_cloexec);
  if (context < 0) return -1;
  char number[16];
  snprintf(number, sizeof number, "%d", device);
  // fuse.rst, "Mount options": the kernel itself holds users to the files' permissions, whoever they are.
  const char *options[][2] = {{"source", name},    {"subtype", name}, {"fd", number},         {"rootmode", "40000"},
                              {"user_id", "0"},    {"group_id", "0"}, {"allow_other", NULL}, {"default_permissions", NULL}};
  long status = 0;
  for (size_t i = 0; status == 0 && i < sizeof options / sizeof *options; i++)
    status = syscall(SYS_fsconfig, context, options[i][1] ? set_string : set_flag, options[i][0], options[i][1], 0);
  if (status == 0) status = syscall(SYS_fsconfig, context, create, NULL, NULL, 0);
  int mount = status == 0 ? (int)syscall(SYS_fsmount, context, mount_cloexec, 0) : -1;
  int reason = errno;
  close(context);
  errno = reason;
  return mount;
}
