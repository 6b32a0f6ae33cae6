// Vectors of WIDTH floats (a macro of the file that includes this) and of WIDTH/2 doubles, in GCC's and Clang's
// vector extensions: no intrinsics, so that x86-64 and arm64 are compiled from the same lines. Products and sums are
// never contracted into fused operations, so that all of them give the same bits.
#include "fft.h"
#include <string.h>
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#else
#pragma GCC optimize("O3")
#ifndef CANVAS_FFT_CONTRACT // only to measure what it costs
#pragma GCC optimize("fp-contract=off")
#endif
#endif

#define INLINE static inline __attribute__((always_inline))
#define PRAGMA(x) _Pragma(#x)
#ifdef __clang__
#define UNROLL(n) PRAGMA(unroll n)
#else
#define UNROLL(n) PRAGMA(GCC unroll n)
#endif

typedef float vf __attribute__((vector_size(4 * WIDTH), may_alias));
typedef float vf_anywhere __attribute__((vector_size(4 * WIDTH), may_alias, aligned(4)));
typedef double vd __attribute__((vector_size(4 * WIDTH), may_alias));
typedef long long vl __attribute__((vector_size(4 * WIDTH), may_alias));
typedef float vh __attribute__((vector_size(2 * WIDTH), may_alias)); // half as many floats: as many as a vd has doubles

INLINE vf load(const float *p) { return *(const vf_anywhere *)p; }
INLINE void store(float *p, vf v) { *(vf_anywhere *)p = v; }
INLINE vf all(float x) { return x - (vf){}; }
INLINE vd alld(double x) { return x - (vd){}; }

#if WIDTH == 16
#define EVEN(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30)
#define ODD(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31)
#define ZIPLOW(a, b) __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define ZIPHIGH(a, b) __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#define LOW1(a, b) __builtin_shufflevector(a, b, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29)
#define HIGH1(a, b) __builtin_shufflevector(a, b, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31)
#define LOW2(a, b) __builtin_shufflevector(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29)
#define HIGH2(a, b) __builtin_shufflevector(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31)
#elif WIDTH == 8
#define EVEN(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14)
#define ODD(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15)
#define ZIPLOW(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define ZIPHIGH(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#define LOW1(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13)
#define HIGH1(a, b) __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15)
#define LOW2(a, b) __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13)
#define HIGH2(a, b) __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15)
#elif WIDTH == 4
#define EVEN(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6)
#define ODD(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7)
#define ZIPLOW(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define ZIPHIGH(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#define LOW1 ZIPLOW
#define HIGH1 ZIPHIGH
#define LOW2(a, b) __builtin_shufflevector(a, b, 0, 1, 4, 5)
#define HIGH2(a, b) __builtin_shufflevector(a, b, 2, 3, 6, 7)
#endif

// transpose turns WIDTH vectors of a matrix by 90 degrees: 4 x 4 pieces within quarters of vectors, then the pieces.
INLINE void transpose(vf t[WIDTH]) {
  vf u[WIDTH];
  UNROLL(16)
  for (int i = 0; i < WIDTH; i += 4) {
    vf a = LOW1(t[i], t[i + 1]), b = HIGH1(t[i], t[i + 1]), c = LOW1(t[i + 2], t[i + 3]), d = HIGH1(t[i + 2], t[i + 3]);
    u[i] = LOW2(a, c), u[i + 1] = HIGH2(a, c), u[i + 2] = LOW2(b, d), u[i + 3] = HIGH2(b, d);
  }
#if WIDTH == 16
  UNROLL(4)
  for (int j = 0; j < 4; j++) {
    vf a = __builtin_shufflevector(u[j], u[j + 4], 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
    vf b = __builtin_shufflevector(u[j], u[j + 4], 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
    vf c = __builtin_shufflevector(u[j + 8], u[j + 12], 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
    vf d = __builtin_shufflevector(u[j + 8], u[j + 12], 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
    t[j] = __builtin_shufflevector(a, c, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
    t[j + 8] = __builtin_shufflevector(a, c, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
    t[j + 4] = __builtin_shufflevector(b, d, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
    t[j + 12] = __builtin_shufflevector(b, d, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
  }
#elif WIDTH == 8
  UNROLL(4)
  for (int j = 0; j < 4; j++) {
    t[j] = __builtin_shufflevector(u[j], u[j + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    t[j + 4] = __builtin_shufflevector(u[j], u[j + 4], 4, 5, 6, 7, 12, 13, 14, 15);
  }
#else
  UNROLL(4)
  for (int j = 0; j < 4; j++) t[j] = u[j];
#endif
}
