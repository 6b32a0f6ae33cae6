#include "openvino.h"

#include <dlfcn.h>
#include <stdio.h>

#include "pixels.h"

static int say(char *err, const char *what) {
  snprintf(err, canvas_err_len, "%s", what);
  return -1;
}

#if __has_include(<openvino/c/openvino.h>)
#include <openvino/c/openvino.h>

#define CALLS(X)                                                                                          \
  X(ov_get_error_info) X(ov_get_last_err_msg) X(ov_free)                                                  \
  X(ov_core_create) X(ov_core_set_property) X(ov_core_read_model_from_memory_buffer)                      \
  X(ov_core_compile_model) X(ov_core_import_model)                                                        \
  X(ov_model_reshape_single_input) X(ov_model_free)                                                       \
  X(ov_partial_shape_create_static) X(ov_partial_shape_free)                                              \
  X(ov_compiled_model_create_infer_request) X(ov_compiled_model_export_model) X(ov_compiled_model_free)   \
  X(ov_infer_request_set_input_tensor) X(ov_infer_request_infer) X(ov_infer_request_get_tensor)           \
  X(ov_infer_request_free) X(ov_shape_create) X(ov_shape_free)                                            \
  X(ov_tensor_create_from_host_ptr) X(ov_tensor_get_shape) X(ov_tensor_get_element_type)                  \
  X(ov_tensor_data) X(ov_tensor_free)

#define POINTER(name) __typeof__(&name) name;
static struct { CALLS(POINTER) } ov;
static ov_core_t *core;

// failed says in words how a call ended that did not end well.
static int failed(ov_status_e status, char *err) {
  if (status == OK) return 0;
  const char *last = ov.ov_get_last_err_msg();
  snprintf(err, canvas_err_len, "%s", last && *last ? last : ov.ov_get_error_info(status));
  if (last) ov.ov_free(last);
  return -1;
}

int canvas_ov_load(const char *path, char *err) {
  void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!lib) return say(err, dlerror());
#define FIND(name) \
  if (!(*(void **)&ov.name = dlsym(lib, #name))) return say(err, dlerror());
  CALLS(FIND)
  return failed(ov.ov_core_create(&core), err);
}

static int reshape(ov_model_t *model, const int64_t *dims, char *err) {
  ov_partial_shape_t shape;
  if (failed(ov.ov_partial_shape_create_static(4, dims, &shape), err)) return -1;
  int bad = failed(ov.ov_model_reshape_single_input(model, shape), err);
  ov.ov_partial_shape_free(&shape);
  return bad;
}

// settings are said to the device before a network is made for it: one that is imported hears of them in
// no other way. Threads are left to the kernel, since other sessions and a decoder share the cores.
static int settings(int streams, int threads, char *err) {
  char s[16], t[16];
  snprintf(s, sizeof s, "%d", streams);
  snprintf(t, sizeof t, "%d", threads);
  return failed(ov.ov_core_set_property(core, "CPU", "INFERENCE_PRECISION_HINT", "f32"), err) ||
         failed(ov.ov_core_set_property(core, "CPU", "NUM_STREAMS", s), err) ||
         failed(ov.ov_core_set_property(core, "CPU", "INFERENCE_NUM_THREADS", t), err) ||
         failed(ov.ov_core_set_property(core, "CPU", "ENABLE_CPU_PINNING", "NO"), err);
}

void *canvas_ov_open(const void *onnx, size_t bytes, const int64_t *dims, int streams, int threads, char *err) {
  ov_model_t *model = NULL;
  ov_compiled_model_t *net = NULL;
  if (settings(streams, threads, err) || failed(ov.ov_core_read_model_from_memory_buffer(core, onnx, bytes, NULL, &model), err))
    return NULL;
  if ((dims && reshape(model, dims, err)) || failed(ov.ov_core_compile_model(core, model, "CPU", 0, &net), err)) net = NULL;
  ov.ov_model_free(model);
  return net;
}

void *canvas_ov_import(const void *data, size_t bytes, int streams, int threads, char *err) {
  ov_compiled_model_t *net = NULL;
  if (settings(streams, threads, err) || failed(ov.ov_core_import_model(core, data, bytes, "CPU", &net), err)) return NULL;
  return net;
}

int canvas_ov_export(void *net, const char *path, char *err) { return failed(ov.ov_compiled_model_export_model(net, path), err); }

void canvas_ov_close(void *net) { ov.ov_compiled_model_free(net); }

void *canvas_ov_request(void *net, char *err) {
  ov_infer_request_t *r = NULL;
  return failed(ov.ov_compiled_model_create_infer_request(net, &r), err) ? NULL : r;
}

void canvas_ov_release(void *request) { ov.ov_infer_request_free(request); }

// output finds one output's memory and shape.
static int output(void *request, const char *name, float **data, int *shape, int *rank, char *err) {
  ov_tensor_t *t = NULL;
  ov_shape_t s = {0, NULL};
  ov_element_type_e type;
  if (failed(ov.ov_infer_request_get_tensor(request, name, &t), err)) return -1;
  int bad = failed(ov.ov_tensor_get_element_type(t, &type), err) || failed(ov.ov_tensor_get_shape(t, &s), err) ||
            failed(ov.ov_tensor_data(t, (void **)data), err);
  if (!bad && type != F32) bad = say(err, "is not a tensor of float32; export it as float32");
  if (!bad && s.rank > 8) bad = say(err, "has more than 8 dimensions");
  if (!bad) {
    *rank = (int)s.rank;
    for (int i = 0; i < *rank; i++) shape[i] = (int)s.dims[i];
  }
  if (s.dims) ov.ov_shape_free(&s);
  ov.ov_tensor_free(t);
  return bad;
}

int canvas_ov_forward(void *request, float *input, const int64_t *dims, const char **names, int count,
                      float **data, int *shapes, int *ranks, char *err) {
  ov_shape_t shape;
  ov_tensor_t *in = NULL;
  if (failed(ov.ov_shape_create(4, dims, &shape), err)) return -1;
  int bad = failed(ov.ov_tensor_create_from_host_ptr(F32, shape, input, &in), err);
  ov.ov_shape_free(&shape);
  if (bad) return -1;
  bad = failed(ov.ov_infer_request_set_input_tensor(request, in), err) || failed(ov.ov_infer_request_infer(request), err);
  for (int i = 0; !bad && i < count; i++) bad = output(request, names[i], &data[i], &shapes[i * 8], &ranks[i], err);
  ov.ov_tensor_free(in);
  return bad ? -1 : 0;
}

#else  // built without its headers

int canvas_ov_load(const char *path, char *err) { return say(err, "this build has no OpenVINO"); }
void *canvas_ov_open(const void *onnx, size_t bytes, const int64_t *dims, int streams, int threads, char *err) { return NULL; }
void canvas_ov_close(void *net) {}
int canvas_ov_export(void *net, const char *path, char *err) { return -1; }
void *canvas_ov_import(const void *data, size_t bytes, int streams, int threads, char *err) { return NULL; }
void *canvas_ov_request(void *net, char *err) { return NULL; }
void canvas_ov_release(void *request) {}
int canvas_ov_forward(void *request, float *input, const int64_t *dims, const char **names, int count,
                      float **data, int *shapes, int *ranks, char *err) { return -1; }

#endif
