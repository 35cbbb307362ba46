// User namespaces (user_namespaces(7)). All return -1 and set errno on failure.
#pragma once
#include <sys/types.h>

// Forks a child that only holds a new user namespace, in which no id is mapped yet. It ends when `*release`, a descriptor of this process,
// is closed, and when this process dies. Returns the child's pid; the caller reaps it.
pid_t cl_hold_new_user_namespace(int *release);

// setns(2) with CLONE_NEWUSER. The process must have one thread only.
int cl_enter_user_namespace(int descriptor);
