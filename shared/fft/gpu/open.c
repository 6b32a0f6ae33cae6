#include "gpu.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAJOR = 75, MINOR = 76 }; // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_*

int canvas_gpu_failed(canvas_gpu *g, const char *call, int result, char *err) {
  if (result == 0) return 0;
  const char *words = NULL;
  if (strncmp(call, "nvrtc", 5) == 0)
    words = g->nvrtcGetErrorString(result);
  else if (strncmp(call, "cufft", 5) == 0)
    words = result == 2 ? "out of memory" : result == 5 ? "internal error" : result == 6 ? "the transform failed" : "see cufftResult";
  else if (g->cuGetErrorString(result, &words) != 0)
    words = NULL;
  snprintf(err, GPU_WORDS, "%s gave error %d: %s", call, result, words ? words : "unknown to the driver");
  return -1;
}

static void *library(const char *path, char *err) {
  void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!lib) snprintf(err, GPU_WORDS, "%s", dlerror());
  return lib;
}

static int find(canvas_gpu *g, const char *driver, const char *cufft, const char *nvrtc, char *err) {
  void *lib;
#define FIND(name, result, arguments)                                         \
  if (!(*(void **)&g->name = dlsym(lib, #name))) {                             \
    snprintf(err, GPU_WORDS, "%s", dlerror());                                 \
    return -1;                                                                 \
  }
  if (!(lib = library(driver, err))) return -1;
  DRIVER(FIND)
  if (!(lib = library(cufft, err))) return -1;
  CUFFT(FIND)
  if (!(lib = library(nvrtc, err))) return -1;
  NVRTC(FIND)
  return 0;
}

// load compiles for this very device: text that the driver compiles (PTX) would be refused by one older than NVRTC.
static int load(canvas_gpu *g, const char *source, char *err) {
  char option[64], *binary = NULL;
  snprintf(option, sizeof option, "--gpu-architecture=sm_%d%d", g->major, g->minor);
  const char *options[] = {option};
  void *program = NULL;
  size_t size = 0;
  if (CALL(nvrtcCreateProgram, &program, source, "phase.cu", 0, NULL, NULL)) return -1;
  int result = g->nvrtcCompileProgram(program, 1, options);
  int bad = canvas_gpu_failed(g, "nvrtcCompileProgram", result, err);
  if (bad && g->nvrtcGetProgramLogSize(program, &size) == 0 && size > 1 && size < 1 << 20) {
    char *log = calloc(1, size + 1);
    size_t said = strlen(err);
    if (log && g->nvrtcGetProgramLog(program, log) == 0) snprintf(err + said, GPU_WORDS - said, ": %s", log);
    free(log);
  }
  bad = bad || CALL(nvrtcGetCUBINSize, program, &size);
  if (!bad && (size == 0 || size > 64 << 20 || !(binary = malloc(size)))) {
    snprintf(err, GPU_WORDS, "nvrtcGetCUBINSize gave %zu bytes", size);
    bad = -1;
  }
  bad = bad || CALL(nvrtcGetCUBIN, program, binary) || CALL(cuModuleLoadData, &g->module, binary);
  bad = bad || CALL(cuModuleGetFunction, &g->phase, g->module, "phase");
  free(binary);
  g->nvrtcDestroyProgram(&program);
  return bad ? -1 : 0;
}

static int start(canvas_gpu *g, int major, const char *source, char *err) {
  if (CALL(cuInit, 0) || CALL(cuDeviceGet, &g->device, 0) || CALL(cuDeviceGetName, g->name, sizeof g->name - 1, g->device) ||
      CALL(cuDeviceGetAttribute, &g->major, MAJOR, g->device) || CALL(cuDeviceGetAttribute, &g->minor, MINOR, g->device) ||
      CALL(cufftGetVersion, &g->version))
    return -1;
  if (g->version / 1000 != major) {
    snprintf(err, GPU_WORDS, "cufftGetVersion says %d, a library of version %d was expected", g->version, major);
    return -1;
  }
  if (CALL(cuDevicePrimaryCtxRetain, &g->context, g->device)) {
    g->context = NULL;
    return -1;
  }
  if (CALL(cuCtxPushCurrent_v2, g->context)) return -1;
  int bad = load(g, source, err);
  void *was;
  g->cuCtxPopCurrent_v2(&was);
  return bad;
}

canvas_gpu *canvas_gpu_open(const char *driver, const char *cufft, const char *nvrtc, int major, const char *source, char *err) {
  canvas_gpu *g = calloc(1, sizeof *g);
  if (!g) {
    snprintf(err, GPU_WORDS, "no memory");
    return NULL;
  }
  if (find(g, driver, cufft, nvrtc, err) == 0 && start(g, major, source, err) == 0) return g;
  canvas_gpu_close(g);
  return NULL;
}

void canvas_gpu_close(canvas_gpu *g) {
  void *was;
  if (g->module && g->cuCtxPushCurrent_v2(g->context) == 0) {
    g->cuModuleUnload(g->module);
    g->cuCtxPopCurrent_v2(&was);
  }
  if (g->context) g->cuDevicePrimaryCtxRelease_v2(g->device);
  free(g);
}
