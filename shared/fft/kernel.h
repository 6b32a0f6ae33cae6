// The transforms, for vectors of WIDTH floats; NAME and SET name the set of entry points that results. See fft.h for
// how n is split into n1 and n2. A grid holds element j2 + n2 j1 at row j1, column j2 while points are indexed by place, and
// bin k1 + n1 k2 at row k1, column k2.
#include "vector.h"
#include "small.h"
#include "chirp.h"

// bring reads WIDTH/2 points of LANES rows into as many elements.
INLINE void bring(float *const rows[LANES], long at, float *to, long step) {
  UNROLL(4)
  for (int lane = 0; lane < LANES; lane += WIDTH) {
    vf t[WIDTH];
    UNROLL(16)
    for (int i = 0; i < WIDTH; i++) t[i] = load(rows[lane + i] + 2 * at);
    transpose(t);
    UNROLL(16)
    for (int i = 0; i < WIDTH; i++) *(vf *)(to + i / 2 * step + (i & 1) * LANES + lane) = t[i];
  }
}

// put writes WIDTH/2 elements, times `scale`, to as many points of the first `count` of LANES rows.
INLINE void put(float *const rows[LANES], int count, long at, const float *from, long step, float scale) {
  UNROLL(4)
  for (int lane = 0; lane < LANES; lane += WIDTH) {
    vf t[WIDTH];
    UNROLL(16)
    for (int i = 0; i < WIDTH; i++) t[i] = *(const vf *)(from + i / 2 * step + (i & 1) * LANES + lane) * scale;
    transpose(t);
    if (count >= lane + WIDTH) {
      UNROLL(16)
      for (int i = 0; i < WIDTH; i++) store(rows[lane + i] + 2 * at, t[i]);
    } else {
      float kept[WIDTH][WIDTH] __attribute__((aligned(64)));
      UNROLL(16)
      for (int i = 0; i < WIDTH; i++) *(vf *)kept[i] = t[i];
      for (int i = 0; lane + i < count; i++) memcpy(rows[lane + i] + 2 * at, kept[i], sizeof kept[i]);
    }
  }
}

// Rows beyond the last are read as the first one, and never written.
INLINE void pointers(float *rows[LANES], float *data, long stride, int count) {
  for (int i = 0; i < LANES; i++) rows[i] = data + 2 * stride * (i < count ? i : 0);
}

typedef struct {
  float *grid, *t[2], *line; // STRIPS grids; two arrays, and one for each strip, of a small transform's size
  anchor *anchors;
} room;

static room furnish(const canvas_fft_plan *p, float *work) {
  const long most = p->n1 > p->n2 ? p->n1 : p->n2;
  room r;
  r.t[0] = work, r.t[1] = work + most * ELEMENT, r.line = work + 2 * most * ELEMENT;
  r.anchors = (anchor *)(work + (2 + STRIPS) * most * ELEMENT);
  r.grid = (float *)(r.anchors + p->n2 / BLOCK + 3);
  return r;
}

static void rows(const canvas_fft_plan *p, float *data, long stride, int count, int inverse, float *work) {
  room m = furnish(p, work);
  const int n1 = p->n1, n2 = p->n2, imag = inverse ? 0 : LANES;
  const long step = p->row * ELEMENT;
  const float scale = inverse ? 1.0f / (float)p->n : 1.0f;
  float *r[LANES];
  pointers(r, data, stride, count);
  for (int j2 = 0; j2 < n2; j2 += BLOCK) {
    for (int j1 = 0; j1 < n1; j1++)
      for (int i = 0; i < BLOCK; i += WIDTH / 2) bring(r, j2 + i + (long)n2 * j1, m.grid + j1 * step + (j2 + i) * ELEMENT, ELEMENT);
    for (int i = j2; i < j2 + BLOCK; i++)
      small(&p->first, m.grid + i * ELEMENT, step, m.grid + i * ELEMENT, step, m.t, imag, p->between + 2L * i * n1);
  }
  const int group = n1 % 8 == 0 ? 8 : n1; // rows of the grid from which whole runs of bins can be written
  for (int k1 = 0; k1 < n1; k1 += group) {
    for (int i = k1; i < k1 + group; i++) small(&p->second, m.grid + i * step, ELEMENT, m.grid + i * step, ELEMENT, m.t, imag, NULL);
    if (group == 8 && n1 > 1) {
      for (int k2 = 0; k2 < n2; k2++)
        for (int i = k1; i < k1 + 8; i += WIDTH / 2) put(r, count, i + (long)n1 * k2, m.grid + i * step + k2 * ELEMENT, step, scale);
    } else {
      for (int k = 0; k < p->n; k += WIDTH / 2) {
        for (int i = 0; i < WIDTH / 2; i++) memcpy(m.line + i * ELEMENT, m.grid + (k + i) % n1 * step + (k + i) / n1 * ELEMENT, ELEMENT * sizeof(float));
        put(r, count, k, m.line, ELEMENT, scale);
      }
    }
  }
}

INLINE void part(const float *x, float *e, int count) { // LANES points that lie side by side become an element
  if (count >= LANES) {
    UNROLL(4)
    for (int lane = 0; lane < LANES; lane += WIDTH) {
      vf a = load(x + 2 * lane), b = load(x + 2 * lane + WIDTH);
      *(vf *)(e + lane) = EVEN(a, b), *(vf *)(e + LANES + lane) = ODD(a, b);
    }
  } else {
    memset(e, 0, ELEMENT * sizeof(float));
    for (int i = 0; i < count; i++) e[i] = x[2 * i], e[LANES + i] = x[2 * i + 1];
  }
}

INLINE void join(float *x, const float *e, int count, float scale) {
  if (count >= LANES) {
    UNROLL(4)
    for (int lane = 0; lane < LANES; lane += WIDTH) {
      vf a = *(const vf *)(e + lane) * scale, b = *(const vf *)(e + LANES + lane) * scale;
      store(x + 2 * lane, ZIPLOW(a, b)), store(x + 2 * lane + WIDTH, ZIPHIGH(a, b));
    }
  } else {
    for (int i = 0; i < count; i++) x[2 * i] = e[i] * scale, x[2 * i + 1] = e[LANES + i] * scale;
  }
}

// ahead asks for what is needed next, two lines of the cache a strip: the processor does not guess steps of a whole row.
INLINE void ahead(const float *x, int strips) {
  for (int i = 0; i < strips * ELEMENT; i += 16) __builtin_prefetch(x + i, 0, 2);
}

// columns takes STRIPS times LANES columns, so that what is read and written of a row is 256 bytes at a time: rows lie
// on pages of their own.
static void columns(const canvas_fft_plan *p, float *data, long stride, int count, int inverse, float *work) {
  room m = furnish(p, work);
  const int n1 = p->n1, n2 = p->n2, imag = inverse ? 0 : LANES, strips = (count + LANES - 1) / LANES;
  const long step = p->row * ELEMENT, grid = n1 * step;
  const float scale = inverse ? 1.0f / (float)p->n : 1.0f;
  for (int j2 = 0; j2 < n2; j2++) {
    for (int j1 = 0; j1 < n1; j1++)
      for (int s = 0; s < strips; s++)
        part(data + 2 * (stride * (j2 + (long)n2 * j1) + s * LANES), m.line + (j1 + s * n1) * ELEMENT, count - s * LANES);
    for (int j1 = 0; j1 < n1 && j2 + 1 < n2; j1++) ahead(data + 2 * stride * (j2 + 1 + (long)n2 * j1), strips);
    for (int s = 0; s < strips; s++)
      small(&p->first, m.line + s * n1 * ELEMENT, ELEMENT, m.grid + s * grid + j2 * ELEMENT, step, m.t, imag, p->between + 2L * j2 * n1);
  }
  for (int k1 = 0; k1 < n1; k1++) {
    for (int k2 = 0; k2 < n2; k2++) ahead(data + 2 * stride * (k1 + (long)n1 * k2), strips);
    for (int s = 0; s < strips; s++)
      small(&p->second, m.grid + s * grid + k1 * step, ELEMENT, m.line + s * n2 * ELEMENT, ELEMENT, m.t, imag, NULL);
    for (int k2 = 0; k2 < n2; k2++)
      for (int s = 0; s < strips; s++)
        join(data + 2 * (stride * (k1 + (long)n1 * k2) + s * LANES), m.line + (k2 + s * n2) * ELEMENT, count - s * LANES, scale);
  }
}

// through goes over the grid three times. The bins of the forward transform lie where the inverse one, with n1 and n2
// exchanged, looks for its input: nothing is put in order between the two.
static void through(const canvas_fft_plan *p, float *data, long stride, int count, const canvas_fft_phase *before,
                    const canvas_fft_phase *middle, const canvas_fft_phase *after, const float *window, int split, float *work) {
  room m = furnish(p, work);
  const int n = p->n, n1 = p->n1, n2 = p->n2;
  const long step = p->row * ELEMENT;
  float *r[LANES];
  pointers(r, data, stride, count);
  phases ph __attribute__((aligned(64)));
  chirp ch __attribute__((aligned(64)));
  anchor an __attribute__((aligned(64)));

  if (before) phases_of(&ph, before, count), chirp_start(&ch, &ph, 1, n2);
  for (int j2 = 0; j2 < n2; j2 += BLOCK) {
    if (before) anchor_start(&an, &ph, j2, 1, n2, 1);
    for (int j1 = 0; j1 < n1; j1++) {
      float *to = m.grid + j1 * step + j2 * ELEMENT;
      for (int i = 0; i < BLOCK; i += WIDTH / 2) bring(r, j2 + i + (long)n2 * j1, to + i * ELEMENT, ELEMENT);
      if (before) chirp_block(&ch, &an, to, ELEMENT, 0, NULL), anchor_advance(&an, &ch);
    }
    for (int i = j2; i < j2 + BLOCK; i++)
      small(&p->first, m.grid + i * ELEMENT, step, m.grid + i * ELEMENT, step, m.t, LANES, p->between + 2L * i * n1);
  }

  // Bins from `split` on stand for k - n. In row k1 those are the columns from split/n1 rounded up on, or one later.
  const int low = split / n1, high = (split + n1 - 1) / n1;
  const int blocks = (high + BLOCK - 1) / BLOCK;
  int anchors = 0;
  if (middle) {
    phases_of(&ph, middle, count), chirp_start(&ch, &ph, n1, 1);
    for (int b = 0; b < blocks; b++) anchor_start(&m.anchors[anchors++], &ph, (double)n1 * BLOCK * b, n1, 1, 1);
    for (int b = 0; low + b * BLOCK < n2; b++) anchor_start(&m.anchors[anchors++], &ph, (double)n1 * (low + b * BLOCK) - n, n1, 1, 1);
  }
  for (int k1 = 0; k1 < n1; k1++) {
    const float *w = window ? window + (long)k1 * n2 : NULL;
    small(&p->second, m.grid + k1 * step, ELEMENT, m.line, ELEMENT, m.t, LANES, NULL);
    const int here = k1 < split - low * n1 ? low + 1 : low; // columns before this one have k1 + n1 k2 < split
    for (int b = 0; b < anchors; b++) {
      const int first = b < blocks ? b * BLOCK : low + (b - blocks) * BLOCK;
      const int from = b < blocks ? 0 : here, to = b < blocks ? here : n2;
      const int f = first < from ? from - first : 0, t = first + BLOCK > to ? to - first : BLOCK;
      float *x = m.line + first * ELEMENT;
      if (f == 0 && t == BLOCK) {
        if (w)
          chirp_block(&ch, &m.anchors[b], x, ELEMENT, 1, w + first);
        else
          chirp_block(&ch, &m.anchors[b], x, ELEMENT, 0, NULL);
      } else if (f < t) {
        chirp_part(&ch, &m.anchors[b], x, ELEMENT, w ? w + first : NULL, f, t);
      }
      anchor_advance(&m.anchors[b], &ch);
    }
    if (!middle && w)
      for (int k2 = 0; k2 < n2; k2++)
        for (int i = 0; i < ELEMENT; i += WIDTH) *(vf *)(m.line + k2 * ELEMENT + i) *= w[k2];
    small(&p->second, m.line, ELEMENT, m.grid + k1 * step, ELEMENT, m.t, 0, p->across + 2L * k1 * n2);
  }

  const double inverse = 1.0 / n;
  const float scale = after ? 1.0f : (float)inverse;
  if (after) phases_of(&ph, after, count), chirp_start(&ch, &ph, 1, n2);
  for (int j2 = 0; j2 < n2; j2 += BLOCK) {
    for (int i = j2; i < j2 + BLOCK; i++) small(&p->first, m.grid + i * ELEMENT, step, m.grid + i * ELEMENT, step, m.t, 0, NULL);
    if (after) anchor_start(&an, &ph, j2, 1, n2, inverse);
    for (int j1 = 0; j1 < n1; j1++) {
      float *from = m.grid + j1 * step + j2 * ELEMENT;
      if (after) chirp_block(&ch, &an, from, ELEMENT, 0, NULL), anchor_advance(&an, &ch);
      for (int i = 0; i < BLOCK; i += WIDTH / 2) put(r, count, j2 + i + (long)n2 * j1, from + i * ELEMENT, ELEMENT, scale);
    }
  }
}

// rotate takes LANES neighbouring samples as an element: lane l has the samples l, l + LANES ...
static void rotate(float *row, long n, const canvas_fft_phase *phase) {
  enum { AGAIN = 64 }; // blocks after which an anchor is set anew
  phases ph __attribute__((aligned(64)));
  chirp ch __attribute__((aligned(64)));
  anchor an __attribute__((aligned(64)));
  float x[BLOCK][ELEMENT] __attribute__((aligned(64)));
  phases_of(&ph, phase, 1);
  for (int l = 0; l < LANES; l++) ph.a[l] += (ph.b[l] + ph.c[l] * l) * l, ph.b[l] += 2 * ph.c[l] * l;
  chirp_start(&ch, &ph, LANES, LANES * BLOCK);
  for (long at = 0, b = 0; at < n; at += LANES * BLOCK, b++) {
    if (b % AGAIN == 0) anchor_start(&an, &ph, (double)at, LANES, LANES * BLOCK, 1);
    for (int i = 0; i < BLOCK; i++) {
      const long left = n - at - i * LANES;
      part(row + 2 * (at + i * LANES), x[i], left > LANES ? LANES : left < 0 ? 0 : (int)left);
    }
    chirp_block(&ch, &an, x[0], ELEMENT, 0, NULL);
    for (int i = 0; i < BLOCK; i++) {
      const long left = n - at - i * LANES;
      join(row + 2 * (at + i * LANES), x[i], left > LANES ? LANES : left < 0 ? 0 : (int)left, 1);
    }
    anchor_advance(&an, &ch);
  }
}

const canvas_fft_kernels SET = {NAME, rows, columns, through, rotate};
