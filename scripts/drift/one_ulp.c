/* A function of the C library that is wrong by one unit in the last place, away from zero: to be preloaded.
   -DFUNCTION=expf -DTYPE=float -DNEXT=nextafterf */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <math.h>

#define TEXT(name) #name
#define NAME(name) TEXT(name)

TYPE FUNCTION(TYPE x) {
  static TYPE (*original)(TYPE);
  if (!original) original = (TYPE(*)(TYPE))dlsym(RTLD_NEXT, NAME(FUNCTION));
  TYPE y = original(x);
  return isfinite(y) && y != 0 ? NEXT(y, y > 0 ? INFINITY : -INFINITY) : y;
}
