// Linux system calls that glibc 2.36 has no importable wrapper for, as typed inline functions that return -1 and set errno.
#pragma once
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

// openat2(2): flags O_*, mode as for open(2), resolve RESOLVE_*.
static inline int cl_openat2(int dirfd, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve) {
  struct open_how how = {.flags = flags, .mode = mode, .resolve = resolve};
  return (int)syscall(SYS_openat2, dirfd, path, &how, sizeof how);
}

static inline int cl_open(const char *path, int flags, mode_t mode) { return open(path, flags, mode); }

static inline dev_t cl_makedev(unsigned major_number, unsigned minor_number) { return makedev(major_number, minor_number); }
static inline unsigned cl_major(dev_t device) { return major(device); }
static inline unsigned cl_minor(dev_t device) { return minor(device); }

// renameat2(2) with RENAME_NOREPLACE: fails with EEXIST instead of replacing.
static inline int cl_rename_noreplace(int olddir, const char *oldpath, int newdir, const char *newpath) {
  return (int)syscall(SYS_renameat2, olddir, oldpath, newdir, newpath, 1u);
}

// unshare(2), which Swift cannot import because sched.h hides it behind _GNU_SOURCE.
static inline int cl_unshare(int flags) { return unshare(flags); }
enum { CL_CLONE_NEWNS = CLONE_NEWNS };
