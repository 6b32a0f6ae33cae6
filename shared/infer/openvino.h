// The calls of OpenVINO's C interface that a network needs. The library is loaded by hand, so that a
// machine without it has one engine less and nothing else. Every function writes what went wrong into err.
#ifndef CANVAS_OPENVINO_H
#define CANVAS_OPENVINO_H

#include <stddef.h>
#include <stdint.h>

// canvas_ov_load loads libopenvino_c.so at path, once a process.
int canvas_ov_load(const char *path, char *err);

// canvas_ov_open compiles an ONNX file for the CPU, in float32 throughout where it is float32. dims are
// its input's four if they never change, which is faster; NULL leaves them as the file has them. One at a
// time, imports included.
void *canvas_ov_open(const void *onnx, size_t bytes, const int64_t *dims, int streams, int threads, char *err);
void canvas_ov_close(void *net);

// canvas_ov_export writes a compiled network to a file, whose bytes canvas_ov_import takes in its place. They
// must stay where they are until canvas_ov_close: weights are read there.
int canvas_ov_export(void *net, const char *path, char *err);
void *canvas_ov_import(const void *data, size_t bytes, int streams, int threads, char *err);

// canvas_ov_request is for one thread at a time; requests of one network share its weights.
void *canvas_ov_request(void *net, char *err);
void canvas_ov_release(void *request);

// canvas_ov_forward runs a request on input of four dims. Output i, a name of the file's, is left in
// data[i] until the next call; its dims go to shapes[i*8], their count to ranks[i].
int canvas_ov_forward(void *request, float *input, const int64_t *dims, const char **names, int count,
                      float **data, int *shapes, int *ranks, char *err);

#endif
