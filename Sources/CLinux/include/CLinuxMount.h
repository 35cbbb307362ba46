// mount(2), whose flags are macros hidden in an anonymous enumeration. Both return -1 and set errno on failure.
#pragma once

int cl_mount(const char *source, const char *target, const char *type, unsigned long flags, const char *options);

// From now on the mounts below / of this mount namespace send no events to other namespaces and get none.
int cl_make_root_private(void);
