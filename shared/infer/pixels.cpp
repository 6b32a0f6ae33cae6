#include "pixels.h"

#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>
#include <vector>

#include <opencv2/core.hpp>
#include <opencv2/core/cuda.hpp>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/dnn.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <opencv2/objdetect.hpp>

static void say(char *err, const char *what) {
  if (!err) return;
  std::strncpy(err, what, canvas_err_len - 1);
  err[canvas_err_len - 1] = 0;
}

// guarded runs f and turns whatever it throws into -1 and a message.
template <class F>
static int guarded(char *err, F f) {
  try {
    return f();
  } catch (const std::exception &e) {
    say(err, e.what());
  } catch (...) {
    say(err, "an exception without a name");
  }
  return -1;
}

extern "C" void canvas_quiet(void) { cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT); }

extern "C" void *canvas_alloc(size_t bytes) {
  size_t whole = (bytes + 63) / 64 * 64;
  void *p = std::aligned_alloc(64, whole ? whole : 64);
  if (p) std::memset(p, 0, whole);
  return p;
}

extern "C" void canvas_free(void *p) { std::free(p); }

static void pad_rows(const canvas_fit *f, float *out, int from, int to, int left, int right) {
  for (int y = from; y < to; y++) {
    if (f->nhwc) {
      float *row = out + (size_t)y * f->w * f->channels;
      for (int x = left; x < right; x++)
        for (int c = 0; c < f->channels; c++) row[x * f->channels + c] = f->pad[c];
      continue;
    }
    for (int c = 0; c < f->channels; c++) {
      float *row = out + ((size_t)c * f->h + y) * f->w;
      for (int x = left; x < right; x++) row[x] = f->pad[c];
    }
  }
}

extern "C" int canvas_picture(const uint8_t *bgr, const canvas_fit *f, const float *lut, uint8_t *scratch,
                              float *out, char *err) {
  return guarded(err, [&] {
    const cv::Mat src(f->sh, f->sw, CV_8UC3, const_cast<uint8_t *>(bgr));
    const uint8_t *from = bgr;
    if (f->rw != f->sw || f->rh != f->sh) {
      cv::Mat dst(f->rh, f->rw, CV_8UC3, scratch);
      cv::resize(src, dst, dst.size(), 0, 0, cv::INTER_LINEAR);
      from = scratch;
    }
    const int ch = f->channels == 1 ? 1 : 3;
    if (ch == 1) {
      const cv::Mat colour(f->rh, f->rw, CV_8UC3, const_cast<uint8_t *>(from));
      cv::Mat gray(f->rh, f->rw, CV_8UC1, scratch + (size_t)f->rw * f->rh * 3);
      cv::cvtColor(colour, gray, cv::COLOR_BGR2GRAY);
      from = gray.data;
    }
    const float *l0 = lut, *l1 = lut + 256, *l2 = lut + 512;
    const int c0 = f->channel[0], c1 = f->channel[1], c2 = f->channel[2];
    for (int y = 0; y < f->rh; y++) {
      const uint8_t *s = from + (size_t)y * f->rw * ch;
      const size_t at = (size_t)(y + f->py) * f->w + f->px;
      if (ch == 1) {
        for (int x = 0; x < f->rw; x++) out[at + x] = l0[s[x]];
      } else if (f->nhwc) {
        float *o = out + at * 3;
        for (int x = 0; x < f->rw; x++, s += 3, o += 3) {
          o[0] = l0[s[c0]];
          o[1] = l1[s[c1]];
          o[2] = l2[s[c2]];
        }
      } else {
        const size_t plane = (size_t)f->w * f->h;
        float *a = out + at, *b = a + plane, *c = b + plane;
        for (int x = 0; x < f->rw; x++, s += 3) {
          a[x] = l0[s[c0]];
          b[x] = l1[s[c1]];
          c[x] = l2[s[c2]];
        }
      }
    }
    pad_rows(f, out, 0, f->py, 0, f->w);
    pad_rows(f, out, f->py, f->py + f->rh, 0, f->px);
    pad_rows(f, out, f->py, f->py + f->rh, f->px + f->rw, f->w);
    pad_rows(f, out, f->py + f->rh, f->h, 0, f->w);
    return 0;
  });
}

extern "C" int canvas_decode(const uint8_t *data, size_t bytes, uint8_t *bgr, size_t room, int *w, int *h,
                             char *err) {
  return guarded(err, [&] {
    const cv::Mat in(1, (int)bytes, CV_8UC1, const_cast<uint8_t *>(data));
    const cv::Mat out = cv::imdecode(in, cv::IMREAD_COLOR);
    const size_t size = out.total() * 3;
    if (size == 0 || size > room || out.type() != CV_8UC3 || !out.isContinuous()) {
      say(err, "no pixels came out of it; is the file whole?");
      return -1;
    }
    std::memcpy(bgr, out.data, size);
    *w = out.cols;
    *h = out.rows;
    return 0;
  });
}

// significant is how many bits of 16 count where the largest sample is most.
static int significant(double most, int said) {
  if (said > 0)
    return said < 16 && most < (1 << said) ? said : 16;
  for (int bits : {8, 10, 12, 14})
    if (most < (1 << bits))
      return bits;
  return 16;
}

extern "C" int canvas_decode_deep(const uint8_t *data, size_t bytes, int said, uint8_t *bgr, size_t room, int *w, int *h,
                                  int *bits, char *err) {
  return guarded(err, [&] {
    const cv::Mat in(1, (int)bytes, CV_8UC1, const_cast<uint8_t *>(data));
    const cv::Mat out = cv::imdecode(in, cv::IMREAD_COLOR | cv::IMREAD_ANYDEPTH);
    const size_t size = out.total() * 3;
    if (size == 0 || size > room || !out.isContinuous() || (out.type() != CV_8UC3 && out.type() != CV_16UC3)) {
      say(err, "no pixels of 8 or 16 bits came out of it; is the file whole?");
      return -1;
    }
    *w = out.cols;
    *h = out.rows;
    *bits = 8;
    if (out.depth() == CV_8U) {
      std::memcpy(bgr, out.data, size);
      return 0;
    }
    double most = 0;
    cv::minMaxLoc(out.reshape(1), nullptr, &most);
    *bits = significant(most, said);
    const uint16_t *from = out.ptr<uint16_t>();
    for (size_t i = 0; i < size; i++)
      bgr[i] = (uint8_t)std::min(from[i] >> (*bits - 8), 255);
    return 0;
  });
}

extern "C" int canvas_probe(const void *onnx, size_t bytes, const int *shape, char *err) {
  return guarded(err, [&] {
    cv::dnn::Net net = cv::dnn::readNetFromONNX(static_cast<const char *>(onnx), bytes);
    if (net.empty()) {
      say(err, "the file holds no layers");
      return -1;
    }
    net.setInput(cv::Mat::zeros(4, shape, CV_32F));
    std::vector<cv::Mat> outs;
    net.forward(outs, net.getUnconnectedOutLayersNames());
    return 0;
  });
}

extern "C" int canvas_forward(void *handle, float *input, const int *shape, const char **names, int count,
                              void **mats, float **data, int *dims, int *shapes, char *err) {
  return guarded(err, [&] {
    auto *net = static_cast<cv::dnn::Net *>(handle);
    net->setInput(cv::Mat(4, shape, CV_32F, input));
    std::vector<cv::Mat> outs;
    net->forward(outs, std::vector<std::string>(names, names + count));
    if ((int)outs.size() != count) {
      say(err, "OpenCV gave another number of outputs than the file names");
      return -1;
    }
    for (const cv::Mat &m : outs)
      if (m.empty() || m.depth() != CV_32F || m.dims > 8 || !m.isContinuous()) {
        say(err, "an output is not a dense tensor of float32");
        return -1;
      }
    for (int i = 0; i < count; i++) {
      auto *m = new cv::Mat(outs[i]);
      mats[i] = m;
      data[i] = m->ptr<float>();
      dims[i] = m->dims;
      for (int d = 0; d < m->dims; d++) shapes[i * 8 + d] = m->size[d];
    }
    return 0;
  });
}

extern "C" void canvas_mat_free(void *mat) { delete static_cast<cv::Mat *>(mat); }

extern "C" int canvas_cuda(char *what) {
  return guarded(what, [&] {
    const int n = cv::cuda::getCudaEnabledDeviceCount();
    if (n == 0) {
      const bool built = cv::getBuildInformation().find("NVIDIA CUDA:                   YES") != std::string::npos;
      say(what, built ? "OpenCV was built with CUDA, but there is no CUDA device" : "this OpenCV was built without CUDA");
      return 0;
    }
    if (n < 0) {
      say(what, "the CUDA driver is missing, or too old for this OpenCV");
      return 0;
    }
    for (auto target : cv::dnn::getAvailableTargets(cv::dnn::DNN_BACKEND_CUDA))
      if (target == cv::dnn::DNN_TARGET_CUDA) {
        say(what, cv::cuda::DeviceInfo().name());
        return 1;
      }
    say(what, "OpenCV sees a CUDA device, but its DNN module was built without CUDA");
    return 0;
  });
}

extern "C" long long canvas_cuda_free(void) {
  long long bytes = -1;
  guarded(nullptr, [&] {
    bytes = (long long)cv::cuda::DeviceInfo().freeMemory();
    return 0;
  });
  return bytes;
}

extern "C" int canvas_people(const uint8_t *bgr, int w, int h, double hit, double scale, int *boxes,
                             double *margins, int max, char *err) {
  return guarded(err, [&] {
    if (w < 64 || h < 128) return 0;  // smaller than the detector's window
    cv::HOGDescriptor hog;
    hog.setSVMDetector(cv::HOGDescriptor::getDefaultPeopleDetector());
    std::vector<cv::Rect> found;
    std::vector<double> weights;
    hog.detectMultiScale(cv::Mat(h, w, CV_8UC3, const_cast<uint8_t *>(bgr)), found, weights, hit,
                         cv::Size(8, 8), cv::Size(16, 16), scale, 2, false);
    int n = 0;
    for (size_t i = 0; i < found.size() && n < max; i++, n++) {
      const int box[4] = {found[i].x, found[i].y, found[i].width, found[i].height};
      std::memcpy(boxes + n * 4, box, sizeof box);
      margins[n] = weights[i];
    }
    return n;
  });
}
