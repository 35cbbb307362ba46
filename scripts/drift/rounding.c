/* A library that leaves the processor rounding towards zero, as one for interval arithmetic may: to be preloaded. */
#include <fenv.h>

__attribute__((constructor)) static void leave_rounding(void) { fesetround(FE_TOWARDZERO); }
