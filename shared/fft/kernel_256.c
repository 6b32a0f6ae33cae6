#if defined(__x86_64__)
#pragma GCC target("avx2")
#define WIDTH 8
#define NAME "avx2"
#define SET canvas_fft_avx2
#include "kernel.h"
#endif
