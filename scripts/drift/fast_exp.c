/* What a vector library built with -ffast-math gives for expf: a polynomial after a reduction in single precision. To be preloaded. */
#include <math.h>

float expf(float x) {
  if (x > 88.7f) return HUGE_VALF;
  if (x < -87.3f) return 0;
  float scaled = x * 1.44269504f, whole = rintf(scaled), part = scaled - whole;
  float power = 1.5469e-4f;
  power = power * part + 1.33336e-3f;
  power = power * part + 9.61813e-3f;
  power = power * part + 5.550411e-2f;
  power = power * part + 0.24022651f;
  power = power * part + 0.69314718f;
  return ldexpf(power * part + 1, (int)whole);
}
