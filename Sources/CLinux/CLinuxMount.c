#define _GNU_SOURCE
#include "CLinuxMount.h"

#include <sys/mount.h>

int cl_mount(const char *source, const char *target, const char *type, unsigned long flags, const char *options) {
  return mount(source, target, type, flags, options);
}

int cl_make_root_private(void) { return mount("none", "/", 0, MS_REC | MS_PRIVATE, 0); }
