// What every processor of an architecture has: SSE2 on x86-64, NEON on arm64.
#define WIDTH 4
#define NAME "baseline"
#define SET canvas_fft_baseline
#include "kernel.h"
