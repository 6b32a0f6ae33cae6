// What Go and the kernels share: the plan with its tables, and one set of entry points for each instruction set.
#ifndef CANVAS_FFT_H
#define CANVAS_FFT_H

#include <stddef.h>

#define LANES 16 // transforms side by side
#define ELEMENT (2 * LANES) // floats of one position of all of them: LANES real parts, then LANES imaginary ones
#define STRIPS 2 // times LANES columns at once
#define MOST_PASSES 24

// A transform of n = n1 * n2 points is n2 transforms of n1, a rotation, and n1 transforms of n2. Both are small
// enough that they happen in the first-level cache.
typedef struct {
  int n;
  int passes, radix[MOST_PASSES]; // the product of the radices is n
  float *turns;                   // for each pass but the last, the turns of its butterflies
} canvas_fft_small;

typedef struct {
  int n, n1, n2;
  long row;                  // elements from a row of the workspace to the next: n2 + 1, so that columns share no cache set
  canvas_fft_small first, second; // of n1 and n2 points
  float *between;            // between[j * n1 + k] = exp(-2πi jk/n), j < n2, k < n1
  float *across;             // the same as across[k * n2 + j]
} canvas_fft_plan;

// The same layout as Go's Phase.
typedef struct {
  double a, b, c;
} canvas_fft_phase;

typedef struct {
  const char *name;
  // of at most LANES rows, or STRIPS * LANES columns
  void (*rows)(const canvas_fft_plan *plan, float *data, long stride, int rows, int inverse, float *work);
  void (*columns)(const canvas_fft_plan *plan, float *data, long stride, int columns, int inverse, float *work);
  void (*through)(const canvas_fft_plan *plan, float *data, long stride, int rows, const canvas_fft_phase *before,
                  const canvas_fft_phase *middle, const canvas_fft_phase *after, const float *window, int split, float *work);
  void (*rotate)(float *row, long n, const canvas_fft_phase *phase);
} canvas_fft_kernels;

// canvas_fft_choose returns the kernels of that name, or those that suit the processor best where it is NULL; NULL
// where this processor can't run them.
const canvas_fft_kernels *canvas_fft_choose(const char *name);

canvas_fft_plan *canvas_fft_new(int n, int n1); // NULL: no memory
void canvas_fft_free(canvas_fft_plan *plan);
size_t canvas_fft_work(const canvas_fft_plan *plan); // bytes of a workspace, whose start lies on 64 bytes

void canvas_fft_rows(const canvas_fft_kernels *k, const canvas_fft_plan *plan, void *data, long stride, int rows, int inverse, void *work);
void canvas_fft_columns(const canvas_fft_kernels *k, const canvas_fft_plan *plan, void *data, long stride, int columns, int inverse, void *work);
void canvas_fft_through(const canvas_fft_kernels *k, const canvas_fft_plan *plan, void *data, long stride, int rows, const void *before,
                        const void *middle, const void *after, const void *window, int split, void *work);
void canvas_fft_rotate(const canvas_fft_kernels *k, void *row, long n, double a, double b, double c);

#endif
