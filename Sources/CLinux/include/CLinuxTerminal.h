// Pseudo-terminals that are handed over, and children that are inherited: ioctl_tty(2), unix(7), prctl(2).
// All return -1 and set errno on failure.
#pragma once

// TIOCGWINSZ and TIOCSWINSZ.
int cl_window_size(int terminal, unsigned short *rows, unsigned short *columns);
int cl_set_window_size(int terminal, unsigned short rows, unsigned short columns);

// A stream socket that listens at `path`, close-on-exec and non-blocking. ENAMETOOLONG where sun_path does not hold the path.
int cl_unix_listen(const char *path);

// The descriptor that the first peer in the queue of `listener` sends (SCM_RIGHTS), close-on-exec. EAGAIN when nobody has connected,
// EPROTO when what came is not exactly one descriptor.
int cl_unix_receive_descriptor(int listener);

// PR_SET_CHILD_SUBREAPER: from now on a process whose parent has ended becomes our child, if it descends from us.
int cl_adopt_orphans(void);
