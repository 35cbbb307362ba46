#define _GNU_SOURCE
#include "CLinux.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

int cl_openat2(int dirfd, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve) {
  struct open_how how = {.flags = flags, .mode = mode, .resolve = resolve};
  return (int)syscall(SYS_openat2, dirfd, path, &how, sizeof how);
}

int cl_openat(int dirfd, const char *path, int flags, mode_t mode) { return openat(dirfd, path, flags, mode); }
int cl_open(const char *path, int flags, mode_t mode) { return open(path, flags, mode); }
int cl_syncfs(int fd) { return syncfs(fd); }
long cl_getdents(int fd, void *buffer, size_t size) { return syscall(SYS_getdents64, fd, buffer, size); }

const int cl_o_direct = O_DIRECT;

dev_t cl_makedev(unsigned major_number, unsigned minor_number) { return makedev(major_number, minor_number); }
unsigned cl_major(dev_t device) { return major(device); }
unsigned cl_minor(dev_t device) { return minor(device); }

int cl_unshare_mount_namespace(void) { return unshare(CLONE_NEWNS); }
