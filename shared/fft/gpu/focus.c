#include "gpu.h"

enum { C2C = 0x29, FORWARD = -1, INVERSE = 1 }; // CUFFT_C2C and so on
enum { THREADS = 256, MOST_ROWS = 65535 };      // of a block of threads, and of a grid

// block is what lies on the device while a block of lines is focused.
typedef struct {
  int width, rows;
  gpu_memory data, phases, window, factors;
  int azimuth, range, planned; // cuFFT's handles, and how many of them there are
} block;

static int reserve(canvas_gpu *g, block *b, int columns, int windowed, char *err) {
  const size_t samples = (size_t)b->width * b->rows;
  if (CALL(cuMemAlloc_v2, &b->data, 8 * samples) || CALL(cuMemAlloc_v2, &b->phases, 9 * sizeof(double) * b->rows) ||
      CALL(cuMemAlloc_v2, &b->factors, sizeof(float) * b->rows) || (windowed && CALL(cuMemAlloc_v2, &b->window, sizeof(float) * b->width)))
    return -1;
  // Where the embedding is NULL cuFFT takes no notice of strides.
  if (CALL(cufftPlanMany, &b->azimuth, 1, &b->rows, &b->rows, b->width, 1, &b->rows, b->width, 1, C2C, columns)) return -1;
  b->planned = 1;
  if (CALL(cufftPlanMany, &b->range, 1, &b->width, &b->width, 1, b->width, &b->width, 1, b->width, C2C, b->rows)) return -1;
  b->planned = 2;
  return 0;
}

static int phase(canvas_gpu *g, block *b, int which, int split, gpu_memory window, gpu_memory factors, char *err) {
  gpu_memory phases = b->phases + (size_t)which * 3 * sizeof(double) * b->rows;
  void *arguments[] = {&b->data, &b->width, &b->rows, &phases, &split, &window, &factors};
  const unsigned across = (b->width + THREADS - 1) / THREADS, down = b->rows < MOST_ROWS ? b->rows : MOST_ROWS;
  return CALL(cuLaunchKernel, g->phase, across, down, 1, THREADS, 1, 1, 0, NULL, arguments, NULL);
}

static int transform(canvas_gpu *g, block *b, int plan, int way, char *err) {
  void *data = (void *)b->data;
  return CALL(cufftExecC2C, plan, data, data, way);
}

int canvas_gpu_focus(canvas_gpu *g, void *data, int width, int rows, int columns, const double *before, const double *middle,
                     const double *after, int split, const float *window, const float *factors, char *err) {
  block b = {.width = width, .rows = rows};
  const size_t samples = (size_t)width * rows, three = 3 * sizeof(double) * rows;
  if (CALL(cuCtxPushCurrent_v2, g->context)) return -1;
  int bad = reserve(g, &b, columns, window != NULL, err) ||
            CALL(cuMemcpyHtoD_v2, b.data, data, 8 * samples) || CALL(cuMemcpyHtoD_v2, b.phases, before, three) ||
            CALL(cuMemcpyHtoD_v2, b.phases + three, middle, three) || CALL(cuMemcpyHtoD_v2, b.phases + 2 * three, after, three) ||
            CALL(cuMemcpyHtoD_v2, b.factors, factors, sizeof(float) * rows) ||
            (window && CALL(cuMemcpyHtoD_v2, b.window, window, sizeof(float) * width)) ||
            transform(g, &b, b.azimuth, FORWARD, err) ||
            phase(g, &b, 0, width, 0, 0, err) || transform(g, &b, b.range, FORWARD, err) ||
            phase(g, &b, 1, split, b.window, 0, err) || transform(g, &b, b.range, INVERSE, err) ||
            phase(g, &b, 2, width, 0, b.factors, err) ||
            transform(g, &b, b.azimuth, INVERSE, err) ||
            CALL(cuCtxSynchronize) || CALL(cuMemcpyDtoH_v2, data, b.data, 8 * samples);
  // What fails here has failed before, or fails with the next block.
  if (b.planned > 0) g->cufftDestroy(b.azimuth);
  if (b.planned > 1) g->cufftDestroy(b.range);
  const gpu_memory all[] = {b.data, b.phases, b.factors, b.window};
  for (int i = 0; i < 4; i++)
    if (all[i]) g->cuMemFree_v2(all[i]);
  void *was;
  g->cuCtxPopCurrent_v2(&was);
  return bad ? -1 : 0;
}
