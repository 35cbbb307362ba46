// mount(2), whose flags are macros hidden in an anonymous enumeration, and mounts whose owners are mapped. All return -1 and set errno on
// failure.
#pragma once

int cl_mount(const char *source, const char *target, const char *type, unsigned long flags, const char *options);

// From now on the mounts below / of this mount namespace send no events to other namespaces and get none.
int cl_make_root_private(void);

// A user namespace with these maps (user_namespaces(7), "/proc/PID/uid_map"), held by the descriptor that is returned. No process is in it.
int cl_user_namespace(const char *uid_map, const char *gid_map);

// Makes `source` with all that is mounted below it visible at `target`, owners mapped by `user_namespace` (mount_setattr(2),
// MOUNT_ATTR_IDMAP).
int cl_bind_mapped(const char *source, const char *target, int user_namespace);

// A mount that the holder of `device`, an open /dev/fuse, will serve. It is nowhere visible yet and gone with the descriptor that is returned
// unless cl_attach_mount puts it somewhere before (fsmount(2), Linux 5.2).
int cl_fuse_mount(const char *name, int device);

// Makes a mount that is nowhere visible so at `target`.
int cl_attach_mount(int mount, const char *target);
