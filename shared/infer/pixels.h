// The few native steps that GoCV has no call for, or only one that copies, leaks or tells its error
// through a global. Every function catches every C++ exception and writes what it says into err.
#ifndef CANVAS_PIXELS_H
#define CANVAS_PIXELS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { canvas_err_len = 512 };

// canvas_quiet keeps OpenCV from writing to stderr what it also throws.
void canvas_quiet(void);

// canvas_alloc gives zeroed memory aligned to 64 bytes, or NULL.
void *canvas_alloc(size_t bytes);
void canvas_free(void *p);

// One BGR picture becomes one image of the network's input tensor: resized to rw x rh with
// INTER_LINEAR, laid at (px, py) of w x h, every value looked up (256 a channel, in the network's
// order). channel[c] is the BGR channel behind the network's channel c.
struct canvas_fit {
  int sw, sh;          // source
  int rw, rh, px, py;  // where it lies in the network's input
  int w, h;            // network's input
  int channels;        // 3, or 1 for gray
  int channel[3];
  int nhwc;
  float pad[3];        // the pad value, as the network sees it
};
int canvas_picture(const uint8_t *bgr, const struct canvas_fit *fit, const float *lut, uint8_t *scratch,
                   float *out, char *err);

// canvas_decode decodes a JPEG or PNG as cv::imread does. Any number of threads may, which gocv's call
// with its global for errors does not allow. Nothing larger than room bytes is written.
int canvas_decode(const uint8_t *data, size_t bytes, uint8_t *bgr, size_t room, int *w, int *h, char *err);

// canvas_decode_deep is canvas_decode for pictures of more than 8 bits as well. said is how many of the bits
// are told to count, 0 where nothing is told; bits becomes how many were taken to count (8 of a picture that
// has 8): by what is told, unless a sample is larger, else by the largest sample.
int canvas_decode_deep(const uint8_t *data, size_t bytes, int said, uint8_t *bgr, size_t room, int *w, int *h, int *bits,
                       char *err);

// canvas_probe reads and runs an ONNX file once on zeros, so that whatever its importer throws is caught here.
int canvas_probe(const void *onnx, size_t bytes, const int *shape, char *err);

// canvas_forward runs net (a cv::dnn::Net) on input (n, c, h, w or n, h, w, c). Output i is left in
// mats[i], a new cv::Mat that canvas_mat_free frees; its dims go to shapes[i*8], count to dims[i].
int canvas_forward(void *net, float *input, const int *shape, const char **names, int count, void **mats,
                   float **data, int *dims, int *shapes, char *err);
void canvas_mat_free(void *mat);

// canvas_cuda tells whether this OpenCV can run networks on a CUDA device: 1 yes, 0 no; what is the
// device's name or the reason.
int canvas_cuda(char *what);
// canvas_cuda_free is the device's free memory in bytes, or -1.
long long canvas_cuda_free(void);

// canvas_people finds people with OpenCV's own HOG detector. Returns how many of at most max boxes
// (x, y, w, h) and SVM margins were written, or -1.
int canvas_people(const uint8_t *bgr, int w, int h, double hit, double scale, int *boxes, double *margins,
                  int max, char *err);

#ifdef __cplusplus
}
#endif
#endif
