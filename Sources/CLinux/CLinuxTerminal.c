#define _GNU_SOURCE
#include "CLinuxTerminal.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int cl_window_size(int terminal, unsigned short *rows, unsigned short *columns) {
  struct winsize size;
  if (ioctl(terminal, TIOCGWINSZ, &size) < 0) return -1;
  *rows = size.ws_row;
  *columns = size.ws_col;
  return 0;
}

int cl_set_window_size(int terminal, unsigned short rows, unsigned short columns) {
  struct winsize size = {.ws_row = rows, .ws_col = columns};
  return ioctl(terminal, TIOCSWINSZ, &size);
}

static int close_failed(int descriptor, int reason) {
  close(descriptor);
  errno = reason;
  return -1;
}

int cl_unix_listen(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  strcpy(address.sun_path, path);
  int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listener < 0) return -1;
  if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 1) < 0) return close_failed(listener, errno);
  return listener;
}

// Closes every descriptor a message brought, so that an unwanted one does not stay open.
static void close_received(struct msghdr *message) {
  for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    for (size_t offset = 0; offset + sizeof(int) <= part->cmsg_len - CMSG_LEN(0); offset += sizeof(int)) {
      int descriptor;
      memcpy(&descriptor, CMSG_DATA(part) + offset, sizeof descriptor);
      close(descriptor);
    }
  }
}

int cl_unix_receive_descriptor(int listener) {
  int peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (peer < 0) return -1;
  // The sender puts a name of the terminal into the message; nobody needs it.
  char name[4096];
  union {
    struct cmsghdr aligned;
    char bytes[CMSG_SPACE(8 * sizeof(int))];
  } control;
  struct iovec data = {.iov_base = name, .iov_len = sizeof name};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  ssize_t received;
  do received = recvmsg(peer, &message, MSG_CMSG_CLOEXEC);
  while (received < 0 && errno == EINTR);
  if (received < 0) return close_failed(peer, errno);
  close(peer);
  struct cmsghdr *part = CMSG_FIRSTHDR(&message);
  if (!part || part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS || part->cmsg_len != CMSG_LEN(sizeof(int)) ||
      CMSG_NXTHDR(&message, part) || (message.msg_flags & MSG_CTRUNC)) {
    close_received(&message);
    errno = EPROTO;
    return -1;
  }
  int descriptor;
  memcpy(&descriptor, CMSG_DATA(part), sizeof descriptor);
  return descriptor;
}

int cl_adopt_orphans(void) { return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }
