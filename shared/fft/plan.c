// Tables, and the choice among the kernels of each instruction set.
#include "fft.h"
#include <stdlib.h>
#include <string.h>
#if !defined(__clang__)
#pragma GCC optimize("fp-contract=off")
#else
#pragma STDC FP_CONTRACT OFF
#endif

extern const canvas_fft_kernels canvas_fft_baseline;
#if defined(__x86_64__)
extern const canvas_fft_kernels canvas_fft_avx512, canvas_fft_avx2;
#endif

const canvas_fft_kernels *canvas_fft_choose(const char *name) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if ((name == NULL || strcmp(name, "avx512") == 0) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw"))
    return &canvas_fft_avx512;
  if ((name == NULL || strcmp(name, "avx2") == 0) && __builtin_cpu_supports("avx2")) return &canvas_fft_avx2;
#endif
  return name == NULL || strcmp(name, "baseline") == 0 ? &canvas_fft_baseline : NULL;
}

// series of cos and sin up to an eighth of a turn. The C library's differ from version to version in the last bit.
static void series(double x, double *c, double *s) {
  double q = x * x, term = 1, cosine = 1, sine = 0, odd = x;
  for (int i = 1; i <= 11; i++) {
    sine += odd;
    term *= -q / ((2.0 * i - 1) * (2.0 * i)), cosine += term;
    odd *= -q / ((2.0 * i) * (2.0 * i + 1));
  }
  *c = cosine, *s = sine;
}

// turned puts exp(-2πi k/n) at `to`, for k of 0 to n - 1.
static void turned(float *to, long k, long n) {
  const long quarter = (4 * k + n / 2) / n; // the nearest one
  double c, s, x = 6.283185307179586476925 * (double)(4 * k - quarter * n) / (4.0 * (double)n);
  series(x, &c, &s);
  switch (quarter & 3) {
  case 0: to[0] = (float)c, to[1] = (float)-s; break;
  case 1: to[0] = (float)-s, to[1] = (float)-c; break;
  case 2: to[0] = (float)-c, to[1] = (float)s; break;
  default: to[0] = (float)s, to[1] = (float)c;
  }
}

static int divide(canvas_fft_small *f, int n) {
  static const int radices[] = {5, 3, 8, 4, 2};
  f->n = n, f->passes = 0;
  int left = n;
  for (unsigned i = 0; i < sizeof radices / sizeof *radices; i++)
    while (left % radices[i] == 0 && f->passes < MOST_PASSES) {
      const int radix = left == 16 ? 4 : radices[i]; // 4 * 4 is as many passes as 8 * 2 with fewer operations
      f->radix[f->passes++] = radix, left /= radix;
    }
  if (left != 1) return 0;
  size_t count = 0;
  for (int i = 0, m = n; i < f->passes; i++) m /= f->radix[i], count += (size_t)m * (f->radix[i] - 1);
  f->turns = malloc((count + 1) * 2 * sizeof(float));
  if (!f->turns) return 0;
  float *to = f->turns;
  for (int i = 0, m = n; i < f->passes; i++) {
    const int whole = m;
    m /= f->radix[i];
    for (int p = 0; p < m; p++)
      for (int k = 1; k < f->radix[i]; k++, to += 2) turned(to, (long)p * k, whole);
  }
  return 1;
}

canvas_fft_plan *canvas_fft_new(int n, int n1) {
  canvas_fft_plan *p = calloc(1, sizeof *p);
  if (!p) return NULL;
  p->n = n, p->n1 = n1, p->n2 = n / n1, p->row = p->n2 + 1;
  p->between = malloc((size_t)n * 2 * sizeof(float)), p->across = malloc((size_t)n * 2 * sizeof(float));
  if (!p->between || !p->across || !divide(&p->first, n1) || !divide(&p->second, p->n2)) {
    canvas_fft_free(p);
    return NULL;
  }
  for (long j = 0; j < p->n2; j++)
    for (long k = 0; k < n1; k++) {
      float *t = p->between + 2 * (j * n1 + k);
      turned(t, j * k % n, n);
      memcpy(p->across + 2 * (k * p->n2 + j), t, 2 * sizeof *t);
    }
  return p;
}

void canvas_fft_free(canvas_fft_plan *p) {
  if (!p) return;
  free(p->first.turns), free(p->second.turns), free(p->between), free(p->across), free(p);
}

size_t canvas_fft_work(const canvas_fft_plan *p) {
  const size_t most = p->n1 > p->n2 ? p->n1 : p->n2;
  return ((2 + STRIPS) * most + STRIPS * (size_t)p->n1 * p->row) * ELEMENT * sizeof(float) + (p->n2 / 16 + 3) * 6 * LANES * sizeof(double);
}

void canvas_fft_rows(const canvas_fft_kernels *k, const canvas_fft_plan *plan, void *data, long stride, int rows, int inverse, void *work) {
  k->rows(plan, data, stride, rows, inverse, work);
}

void canvas_fft_columns(const canvas_fft_kernels *k, const canvas_fft_plan *plan, void *data, long stride, int columns, int inverse, void *work) {
  k->columns(plan, data, stride, columns, inverse, work);
}

void canvas_fft_through(const canvas_fft_kernels *k, const canvas_fft_plan *plan, void *data, long stride, int rows, const void *before,
                        const void *middle, const void *after, const void *window, int split, void *work) {
  k->through(plan, data, stride, rows, before, middle, after, window, split, work);
}

void canvas_fft_rotate(const canvas_fft_kernels *k, void *row, long n, double a, double b, double c) {
  const canvas_fft_phase phase = {a, b, c};
  k->rotate(row, n, &phase);
}
