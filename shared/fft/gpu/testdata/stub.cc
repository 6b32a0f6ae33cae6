// The three libraries with the same calls as CUDA's, computing on the CPU: what lies on the "device" has other
// addresses than the host's, so that whoever mixes the two up crashes. The kernel is the product's own text. STUB_FAIL
// names the call that fails, "name@k" its k-th one; STUB_MEMORY is how many bytes the device has, STUB_VERSION what
// cuFFT calls itself.
#include <cmath>
#include <complex>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

struct float2 { float x, y; };
struct dim { unsigned x, y, z; };
static dim blockIdx, threadIdx, blockDim, gridDim;
static void sincospif(float x, float *s, float *c) { *s = (float)sin(M_PI * x), *c = (float)cos(M_PI * x); }
#define __global__
#include "../phase.cu"

typedef unsigned long long gpu_memory;
typedef std::complex<double> number;
static const gpu_memory device = 1ull << 60;
static std::map<gpu_memory, size_t> memory;
struct plan { int n, stride, distance, count; };
static std::map<int, plan> plans;
static int contexts, pushed;

static bool fails(const char *call) {
  static std::string last;
  static int count;
  const char *env = getenv("STUB_FAIL");
  std::string now = env ? env : "";
  if (now != last) last = now, count = 0;
  size_t at = now.find('@');
  if (now.substr(0, at) != call) return false;
  return at == std::string::npos || ++count == atoi(now.c_str() + at + 1);
}
#define MAY_FAIL(code) if (fails(__func__)) return code

// room finds what so many bytes from an address on are on the host; NULL where they do not lie in one allocation.
static char *room(gpu_memory at, size_t bytes) {
  auto i = memory.upper_bound(at);
  if (i == memory.begin()) return NULL;
  --i;
  return at + bytes <= i->first + i->second ? (char *)(at - device) : NULL;
}

extern "C" {
int cuInit(unsigned) { MAY_FAIL(100); return 0; }
int cuGetErrorString(int code, const char **words) { *words = code == 2 ? "out of memory" : code == 100 ? "no CUDA-capable device is detected" : "it was asked to fail"; return 0; }
int cuDeviceGet(int *d, int) { MAY_FAIL(101); *d = 0; return 0; }
int cuDeviceGetName(char *name, int size, int) { MAY_FAIL(1); snprintf(name, size, "a stub"); return 0; }
int cuDeviceGetAttribute(int *v, int which, int) { MAY_FAIL(1); *v = which == 75 ? 8 : which == 76 ? 7 : -1; return 0; }
int cuDevicePrimaryCtxRetain(void **c, int) { MAY_FAIL(2); contexts++; *c = &contexts; return 0; }
int cuDevicePrimaryCtxRelease_v2(int) { contexts--; return 0; }
int cuCtxPushCurrent_v2(void *c) { MAY_FAIL(201); if (c != &contexts) return 201; pushed++; return 0; }
int cuCtxPopCurrent_v2(void **) { pushed--; return 0; }
int cuCtxSynchronize(void) { MAY_FAIL(700); return 0; }
int cuModuleLoadData(void **m, const void *image) { MAY_FAIL(209); if (strcmp((const char *)image, "binary")) return 200; *m = &pushed; return 0; }
int cuModuleUnload(void *) { return 0; }
int cuModuleGetFunction(void **f, void *, const char *name) { MAY_FAIL(500); if (strcmp(name, "phase")) return 500; *f = (void *)phase; return 0; }

int cuMemAlloc_v2(gpu_memory *at, size_t bytes) {
  MAY_FAIL(2);
  size_t used = 0, most = getenv("STUB_MEMORY") ? strtoull(getenv("STUB_MEMORY"), NULL, 10) : (size_t)1 << 40;
  for (auto &m : memory) used += m.second;
  if (pushed < 1 || used + bytes > most) return 2;
  *at = (gpu_memory)malloc(bytes) + device;
  memset((void *)(*at - device), 0xff, bytes); // NaN
  memory[*at] = bytes;
  return 0;
}
int cuMemFree_v2(gpu_memory at) { if (!memory.erase(at)) abort(); free((void *)(at - device)); return 0; }
int cuMemcpyHtoD_v2(gpu_memory to, const void *from, size_t n) { MAY_FAIL(700); if (!room(to, n)) return 1; memcpy(room(to, n), from, n); return 0; }
int cuMemcpyDtoH_v2(void *to, gpu_memory from, size_t n) {
  MAY_FAIL(700);
  if (!room(from, n)) return 1;
  memcpy(to, room(from, n), n);
  return 0;
}

int cuLaunchKernel(void *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned, void *, void **p, void **) {
  MAY_FAIL(701);
  if (f != (void *)phase || gx < 1 || gy < 1 || gy > 65535 || gz != 1 || bx < 1 || bx > 1024 || by != 1 || bz != 1) return 1;
  int width = *(int *)p[1], rows = *(int *)p[2], split = *(int *)p[4];
  gpu_memory data = *(gpu_memory *)p[0], abc = *(gpu_memory *)p[3], window = *(gpu_memory *)p[5], factors = *(gpu_memory *)p[6];
  char *d = room(data, (size_t)8 * width * rows), *a = room(abc, (size_t)24 * rows), *w = window ? room(window, (size_t)4 * width) : NULL,
       *x = factors ? room(factors, (size_t)4 * rows) : NULL;
  if (!d || !a || (window && !w) || (factors && !x)) return 700;
  gridDim = {gx, gy, gz}, blockDim = {bx, by, bz};
  for (blockIdx.y = 0; blockIdx.y < gy; blockIdx.y++)
    for (blockIdx.x = 0; blockIdx.x < gx; blockIdx.x++)
      for (threadIdx.x = 0; threadIdx.x < bx; threadIdx.x++) phase((float2 *)d, width, rows, (double *)a, split, (float *)w, (float *)x);
  return 0;
}

int cufftGetVersion(int *v) { MAY_FAIL(5); *v = getenv("STUB_VERSION") ? atoi(getenv("STUB_VERSION")) : 11204; return 0; }
int cufftPlanMany(int *handle, int rank, int *n, int *in, int istride, int idist, int *out, int ostride, int odist, int type, int batch) {
  MAY_FAIL(2);
  if (rank != 1 || type != 0x29 || pushed < 1) return 4;
  if (!in) istride = 1, idist = n[0]; // as cuFFT does
  if (!out) ostride = 1, odist = n[0];
  if (istride != ostride || idist != odist) return 4;
  static int made;
  plans[*handle = ++made] = {n[0], istride, idist, batch};
  return 0;
}
int cufftDestroy(int handle) { if (!plans.erase(handle)) abort(); return 0; }
}

static std::vector<number> turns; // of the whole transform

static void transform(number *x, int n, int step, number *out) {
  if (n == 1) { *out = *x; return; }
  int p = 2;
  while (n % p) p++;
  const int m = n / p;
  for (int i = 0; i < p; i++) transform(x + i * step, m, step * p, out + i * m);
  std::vector<number> t(n);
  for (int k = 0; k < n; k++)
    for (int i = 0; i < p; i++) t[k] += out[i * m + k % m] * turns[(size_t)i * k % n * step];
  std::copy(t.begin(), t.end(), out);
}

extern "C" {
int cufftExecC2C(int handle, void *in, void *out, int way) {
  MAY_FAIL(6);
  if (!plans.count(handle) || in != out || pushed < 1 || (way != 1 && way != -1)) return 4;
  const plan &p = plans[handle];
  const size_t last = (size_t)(p.count - 1) * p.distance + (size_t)(p.n - 1) * p.stride + 1;
  std::complex<float> *data = (std::complex<float> *)room((gpu_memory)in, 8 * last);
  if (!data) return 6;
  std::vector<number> x(p.n), y(p.n);
  turns.resize(p.n);
  for (int k = 0; k < p.n; k++) turns[k] = std::polar(1.0, way * 2 * M_PI * k / p.n);
  for (int b = 0; b < p.count; b++) {
    std::complex<float> *at = data + (size_t)b * p.distance;
    for (int i = 0; i < p.n; i++) x[i] = at[(size_t)i * p.stride];
    transform(x.data(), p.n, 1, y.data());
    for (int i = 0; i < p.n; i++) at[(size_t)i * p.stride] = std::complex<float>(y[i]);
  }
  return 0;
}

const char *nvrtcGetErrorString(int) { return "NVRTC_ERROR"; }
int nvrtcCreateProgram(void **p, const char *source, const char *, int headers, const char *const *, const char *const *) {
  MAY_FAIL(1);
  if (!strstr(source, "__global__ void phase(") || headers != 0) return 4;
  *p = malloc(1);
  return 0;
}
int nvrtcDestroyProgram(void **p) { free(*p); *p = NULL; return 0; }
int nvrtcCompileProgram(void *, int n, const char *const *options) { MAY_FAIL(6); return n == 1 && !strcmp(options[0], "--gpu-architecture=sm_87") ? 0 : 5; }
int nvrtcGetProgramLogSize(void *, size_t *n) { *n = sizeof "phase.cu(1): error: a stub"; return 0; }
int nvrtcGetProgramLog(void *, char *log) { strcpy(log, "phase.cu(1): error: a stub"); return 0; }
int nvrtcGetCUBINSize(void *, size_t *n) { MAY_FAIL(4); *n = sizeof "binary"; return 0; }
int nvrtcGetCUBIN(void *, char *b) { MAY_FAIL(4); strcpy(b, "binary"); return 0; }
}
