// The calls of CUDA's driver, of cuFFT and of NVRTC that focusing needs, found at run time: a build needs none of
// their headers, and a machine without them has one engine less and nothing else. What they take and give is declared
// here as the CUDA Toolkit 12 and 13 have it. Every function writes what went wrong into err.
#ifndef CANVAS_GPU_H
#define CANVAS_GPU_H

#include <stddef.h>

#define GPU_WORDS 512 // bytes of err

typedef unsigned long long gpu_memory; // CUdeviceptr

// name, result, arguments
#define DRIVER(X)                                                                                                      \
  X(cuInit, int, (unsigned))                                                                                           \
  X(cuGetErrorString, int, (int, const char **))                                                                       \
  X(cuDeviceGet, int, (int *, int))                                                                                    \
  X(cuDeviceGetName, int, (char *, int, int))                                                                          \
  X(cuDeviceGetAttribute, int, (int *, int, int))                                                                      \
  X(cuDevicePrimaryCtxRetain, int, (void **, int))                                                                     \
  X(cuDevicePrimaryCtxRelease_v2, int, (int))                                                                          \
  X(cuCtxPushCurrent_v2, int, (void *))                                                                                \
  X(cuCtxPopCurrent_v2, int, (void **))                                                                                \
  X(cuCtxSynchronize, int, (void))                                                                                     \
  X(cuModuleLoadData, int, (void **, const void *))                                                                    \
  X(cuModuleUnload, int, (void *))                                                                                     \
  X(cuModuleGetFunction, int, (void **, void *, const char *))                                                         \
  X(cuMemAlloc_v2, int, (gpu_memory *, size_t))                                                                        \
  X(cuMemFree_v2, int, (gpu_memory))                                                                                   \
  X(cuMemcpyHtoD_v2, int, (gpu_memory, const void *, size_t))                                                          \
  X(cuMemcpyDtoH_v2, int, (void *, gpu_memory, size_t))                                                                \
  X(cuLaunchKernel, int, (void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *, void **, void **))

#define CUFFT(X)                                                                                                       \
  X(cufftGetVersion, int, (int *))                                                                                     \
  X(cufftPlanMany, int, (int *, int, int *, int *, int, int, int *, int, int, int, int))                               \
  X(cufftExecC2C, int, (int, void *, void *, int))                                                                     \
  X(cufftDestroy, int, (int))

#define NVRTC(X)                                                                                                       \
  X(nvrtcGetErrorString, const char *, (int))                                                                          \
  X(nvrtcCreateProgram, int, (void **, const char *, const char *, int, const char *const *, const char *const *))     \
  X(nvrtcDestroyProgram, int, (void **))                                                                               \
  X(nvrtcCompileProgram, int, (void *, int, const char *const *))                                                      \
  X(nvrtcGetProgramLogSize, int, (void *, size_t *))                                                                   \
  X(nvrtcGetProgramLog, int, (void *, char *))                                                                         \
  X(nvrtcGetCUBINSize, int, (void *, size_t *))                                                                        \
  X(nvrtcGetCUBIN, int, (void *, char *))

#define POINTER(name, result, arguments) result(*name) arguments;
typedef struct {
  DRIVER(POINTER) CUFFT(POINTER) NVRTC(POINTER)
  int device, major, minor, version; // of cuFFT: thousands are its major version
  void *context, *module, *phase;
  char name[128];
} canvas_gpu;

// canvas_gpu_open finds the libraries and compiles the kernel for the first device; NULL: it can't. Libraries stay
// loaded for the life of the process, as CUDA's own threads and exit handlers expect.
canvas_gpu *canvas_gpu_open(const char *driver, const char *cufft, const char *nvrtc, int major, const char *source, char *err);
void canvas_gpu_close(canvas_gpu *g);

// canvas_gpu_focus works on rows of `width` samples in place: columns are transformed, rows go through their phases,
// columns are transformed back. data is changed only where it returns 0. Phases are three numbers a row; window may be
// NULL; a row is multiplied by its factor at the end, which takes in that cuFFT's transforms are not scaled.
int canvas_gpu_focus(canvas_gpu *g, void *data, int width, int rows, int columns, const double *before, const double *middle,
                     const double *after, int split, const float *window, const float *factors, char *err);

// canvas_gpu_failed says what a call of the driver gave, where that is not 0.
int canvas_gpu_failed(canvas_gpu *g, const char *call, int result, char *err);
// CALL is for functions that have g and err.
#define CALL(name, ...) canvas_gpu_failed(g, #name, g->name(__VA_ARGS__), err)

#endif
