/* Stands in for the BLAS of the framework: its matrix products are another's or are rounded, all else is the original's, which it needs.
   -DBITS=7   factors in single precision keep so many bits after the point: 7 are bfloat16, 10 are TF32
   -DSINGLE   products in double precision are computed in single precision
   -DOTHER='"PATH"'   products are computed by the OpenBLAS at PATH, with 64-bit integers as numpy has it */
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { row_major = 101, no_transpose = 111 };

typedef void (*sgemm_t)(int, int, int, int, int, int, float, const float *, int, const float *, int, float, float *, int);
typedef void (*dgemm_t)(int, int, int, int, int, int, double, const double *, int, const double *, int, double, double *, int);

__attribute__((unused)) static void *original(const char *name) {
  void *library = dlopen("libmklml_original.so", RTLD_NOW | RTLD_NOLOAD);
  void *function = library ? dlsym(library, name) : 0;
  if (!function) abort();
  return function;
}

/* How many elements of a matrix of `rows` by `columns`, before it is transposed, lie between its first and its last. */
__attribute__((unused)) static size_t extent(int layout, int transpose, int rows, int columns, int leading) {
  int is_by_rows = (layout == row_major) == (transpose == no_transpose);
  return (size_t)leading * ((is_by_rows ? rows : columns) - 1) + (is_by_rows ? columns : rows);
}

#ifdef OTHER
static void *other(const char *name) {
  void *library = dlopen(OTHER, RTLD_NOW | RTLD_LOCAL);
  void *function = library ? dlsym(library, name) : 0;
  if (!function) abort();
  return function;
}

void cblas_sgemm(int layout, int ta, int tb, int m, int n, int k, float alpha, const float *a, int lda, const float *b, int ldb,
                 float beta, float *c, int ldc) {
  static void (*gemm)(int, int, int, int64_t, int64_t, int64_t, float, const float *, int64_t, const float *, int64_t, float, float *,
                      int64_t);
  if (!gemm) gemm = other("cblas_sgemm64_");
  gemm(layout, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

void cblas_dgemm(int layout, int ta, int tb, int m, int n, int k, double alpha, const double *a, int lda, const double *b, int ldb,
                 double beta, double *c, int ldc) {
  static void (*gemm)(int, int, int, int64_t, int64_t, int64_t, double, const double *, int64_t, const double *, int64_t, double, double *,
                      int64_t);
  if (!gemm) gemm = other("cblas_dgemm64_");
  gemm(layout, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
#endif

#ifdef BITS
static float *rounded(const float *values, size_t count) {
  float *copy = malloc(count * sizeof *copy);
  for (size_t i = 0; i < count; i++) {
    uint32_t bits;
    memcpy(&bits, values + i, sizeof bits);
    bits += (1u << (22 - BITS)) - 1 + (bits >> (23 - BITS) & 1); /* to nearest, ties to even */
    bits &= ~((1u << (23 - BITS)) - 1);
    memcpy(copy + i, &bits, sizeof bits);
  }
  return copy;
}

void cblas_sgemm(int layout, int ta, int tb, int m, int n, int k, float alpha, const float *a, int lda, const float *b, int ldb,
                 float beta, float *c, int ldc) {
  static sgemm_t gemm;
  if (!gemm) gemm = (sgemm_t)original("cblas_sgemm");
  if (m <= 0 || n <= 0 || k <= 0) return gemm(layout, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
  float *left = rounded(a, extent(layout, ta, m, k, lda)), *right = rounded(b, extent(layout, tb, k, n, ldb));
  gemm(layout, ta, tb, m, n, k, alpha, left, lda, right, ldb, beta, c, ldc);
  free(left);
  free(right);
}
#endif

#ifdef SINGLE
static float *narrowed(const double *values, size_t count) {
  float *copy = malloc(count * sizeof *copy);
  for (size_t i = 0; i < count; i++) copy[i] = (float)values[i];
  return copy;
}

void cblas_dgemm(int layout, int ta, int tb, int m, int n, int k, double alpha, const double *a, int lda, const double *b, int ldb,
                 double beta, double *c, int ldc) {
  static sgemm_t gemm;
  static dgemm_t wide;
  if (!gemm) gemm = (sgemm_t)original("cblas_sgemm"), wide = (dgemm_t)original("cblas_dgemm");
  if (m <= 0 || n <= 0 || k <= 0) return wide(layout, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
  size_t count = extent(layout, no_transpose, m, n, ldc);
  float *left = narrowed(a, extent(layout, ta, m, k, lda)), *right = narrowed(b, extent(layout, tb, k, n, ldb));
  float *product = beta == 0 ? calloc(count, sizeof *product) : narrowed(c, count);
  gemm(layout, ta, tb, m, n, k, (float)alpha, left, lda, right, ldb, (float)beta, product, ldc);
  /* Between the rows lies what is not ours. */
  int lines = layout == row_major ? m : n, length = layout == row_major ? n : m;
  for (int line = 0; line < lines; line++)
    for (int i = 0; i < length; i++) c[(size_t)line * ldc + i] = product[(size_t)line * ldc + i];
  free(left);
  free(right);
  free(product);
}
#endif

/* Batches are so many single products. */
#if defined OTHER || defined BITS
void cblas_sgemm_batch(int layout, const int *ta, const int *tb, const int *m, const int *n, const int *k, const float *alpha,
                       const float **a, const int *lda, const float **b, const int *ldb, const float *beta, float **c, const int *ldc,
                       int groups, const int *sizes) {
  for (int group = 0, index = 0; group < groups; group++)
    for (int i = 0; i < sizes[group]; i++, index++)
      cblas_sgemm(layout, ta[group], tb[group], m[group], n[group], k[group], alpha[group], a[index], lda[group], b[index], ldb[group],
                  beta[group], c[index], ldc[group]);
}
#endif
#if defined OTHER || defined SINGLE
void cblas_dgemm_batch(int layout, const int *ta, const int *tb, const int *m, const int *n, const int *k, const double *alpha,
                       const double **a, const int *lda, const double **b, const int *ldb, const double *beta, double **c, const int *ldc,
                       int groups, const int *sizes) {
  for (int group = 0, index = 0; group < groups; group++)
    for (int i = 0; i < sizes[group]; i++, index++)
      cblas_dgemm(layout, ta[group], tb[group], m[group], n[group], k[group], alpha[group], a[index], lda[group], b[index], ldb[group],
                  beta[group], c[index], ldc[group]);
}
#endif
