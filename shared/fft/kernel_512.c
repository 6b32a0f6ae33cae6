#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512dq,avx512vl,avx512bw,prefer-vector-width=512")
#define WIDTH 16
#define NAME "avx512"
#define SET canvas_fft_avx512
#include "kernel.h"
#endif
