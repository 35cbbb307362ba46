/* A library that does nothing. Linked with the compiler's crtfastmath.o, it is what -ffast-math makes of any library: the processor takes
   subnormal numbers for zero from then on. */
