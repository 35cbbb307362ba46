// Linux system calls that Swift cannot import from glibc: variadic ones, macros, and those hidden behind _GNU_SOURCE
// (which this header must not define, or its structures would differ from those of the Glibc module).
// All return -1 and set errno on failure.
#pragma once
#include <stdint.h>
#include <sys/types.h>
#include <sys/xattr.h>

// openat2(2): flags O_*, mode as for open(2), resolve RESOLVE_*.
int cl_openat2(int dirfd, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve);
enum {
  CL_RESOLVE_NO_MAGICLINKS = 0x02,
  CL_RESOLVE_NO_SYMLINKS = 0x04,
  CL_RESOLVE_BENEATH = 0x08,
  CL_RESOLVE_IN_ROOT = 0x10,
};
enum { CL_O_PATH = 010000000, CL_AT_EMPTY_PATH = 0x1000 };
// O_DIRECT, which the architectures number differently.
extern const int cl_o_direct;

int cl_openat(int dirfd, const char *path, int flags, mode_t mode);
int cl_open(const char *path, int flags, mode_t mode);
int cl_syncfs(int fd);
// getdents64(2): the next entries of a folder, as many as `buffer` holds; 0 at the end.
long cl_getdents(int fd, void *buffer, size_t size);

dev_t cl_makedev(unsigned major_number, unsigned minor_number);
unsigned cl_major(dev_t device);
unsigned cl_minor(dev_t device);

// unshare(2) with CLONE_NEWNS: the calling thread gets a mount namespace of its own.
int cl_unshare_mount_namespace(void);

#include "CLinuxMount.h"
#include "CLinuxNamespace.h"
#include "CLinuxProcess.h"
#include "CLinuxTerminal.h"
