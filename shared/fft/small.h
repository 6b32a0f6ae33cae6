// Transforms of a few dozen points by Stockham's method, LANES side by side: passes of radix 8, 4, 2, 3 and 5 that
// read one array and write another, in order, without a reversal of bits. A forward transform finds real parts at
// offset 0 of an element and imaginary ones at LANES; an inverse one is the same with the two exchanged: `im` says
// where imaginary parts are.

// butterfly: the transform of `radix` points, in place.
INLINE void butterfly4(vf *ar, vf *ai, vf *br, vf *bi, vf *cr, vf *ci, vf *dr, vf *di) {
  vf sr = *ar + *cr, si = *ai + *ci, tr = *ar - *cr, ti = *ai - *ci;
  vf ur = *br + *dr, ui = *bi + *di, vr = *br - *dr, vi = *bi - *di;
  *ar = sr + ur, *ai = si + ui, *cr = sr - ur, *ci = si - ui;
  *br = tr + vi, *bi = ti - vr, *dr = tr - vi, *di = ti + vr;
}

INLINE void butterfly(const int radix, vf *re, vf *im) {
  if (radix == 2) {
    vf r = re[0] - re[1], i = im[0] - im[1];
    re[0] += re[1], im[0] += im[1], re[1] = r, im[1] = i;
  } else if (radix == 3) {
    const vf half = all(0.5f), h = all(0.86602540378443864676f); // sin 60°
    vf sr = re[1] + re[2], si = im[1] + im[2], dr = (im[1] - im[2]) * h, di = (re[2] - re[1]) * h;
    vf mr = re[0] - sr * half, mi = im[0] - si * half;
    re[0] += sr, im[0] += si;
    re[1] = mr + dr, im[1] = mi + di, re[2] = mr - dr, im[2] = mi - di;
  } else if (radix == 4) {
    butterfly4(&re[0], &im[0], &re[1], &im[1], &re[2], &im[2], &re[3], &im[3]);
  } else if (radix == 5) {
    const vf c1 = all(0.30901699437494742410f), c2 = all(-0.80901699437494742410f); // cos 72°, cos 144°
    const vf s1 = all(0.95105651629515357212f), s2 = all(0.58778525229247312917f);  // sin 72°, sin 144°
    vf ar = re[1] + re[4], ai = im[1] + im[4], br = re[2] + re[3], bi = im[2] + im[3];
    vf cr = re[1] - re[4], ci = im[1] - im[4], dr = re[2] - re[3], di = im[2] - im[3];
    vf pr = re[0] + ar * c1 + br * c2, pi = im[0] + ai * c1 + bi * c2;
    vf qr = re[0] + ar * c2 + br * c1, qi = im[0] + ai * c2 + bi * c1;
    vf ur = ci * s1 + di * s2, ui = cr * s1 + dr * s2, vr = ci * s2 - di * s1, vi = cr * s2 - dr * s1;
    re[0] += ar + br, im[0] += ai + bi;
    re[1] = pr + ur, im[1] = pi - ui, re[4] = pr - ur, im[4] = pi + ui;
    re[2] = qr + vr, im[2] = qi - vi, re[3] = qr - vr, im[3] = qi + vi;
  } else { // 8
    const vf h = all(0.70710678118654752440f);
    butterfly4(&re[0], &im[0], &re[2], &im[2], &re[4], &im[4], &re[6], &im[6]);
    butterfly4(&re[1], &im[1], &re[3], &im[3], &re[5], &im[5], &re[7], &im[7]);
    vf ar = (re[3] + im[3]) * h, ai = (im[3] - re[3]) * h;   // times exp(-2πi/8)
    vf br = im[5], bi = -re[5];                              // exp(-2πi 2/8)
    vf cr = (im[7] - re[7]) * h, ci = (re[7] + im[7]) * -h;  // exp(-2πi 3/8)
    vf or = re[1], oi = im[1], e1r = re[2], e1i = im[2], e2r = re[4], e2i = im[4], e3r = re[6], e3i = im[6];
    re[4] = re[0] - or, im[4] = im[0] - oi, re[0] += or, im[0] += oi;
    re[1] = e1r + ar, im[1] = e1i + ai, re[5] = e1r - ar, im[5] = e1i - ai;
    re[2] = e2r + br, im[2] = e2i + bi, re[6] = e2r - br, im[6] = e2i - bi;
    re[3] = e3r + cr, im[3] = e3i + ci, re[7] = e3r - cr, im[7] = e3i - ci;
  }
}

enum { TURNED_INSIDE, LAST, LAST_TURNED };

// pass: input q + s(p + m i) goes to output q + s(radix p + k), where s is what earlier passes have transformed and
// m what is left after this one. Distances xs and ys between elements are in floats.
INLINE void pass(const int radix, const int kind, int m, int s, const float *x, long xs, float *y, long ys, int imag, const float *turns) {
  const int real = LANES - imag;
  for (int p = 0; p < m; p++)
    for (int q = 0; q < s; q++)
      UNROLL(4)
      for (int lane = 0; lane < LANES; lane += WIDTH) {
        vf re[8], im[8];
        UNROLL(8)
        for (int i = 0; i < radix; i++) {
          const float *e = x + (q + (long)s * (p + (long)m * i)) * xs + lane;
          re[i] = *(const vf *)(e + real), im[i] = *(const vf *)(e + imag);
        }
        butterfly(radix, re, im);
        UNROLL(8)
        for (int k = 0; k < radix; k++) {
          float *e = y + (q + (long)s * (radix * p + k)) * ys + lane;
          const float *t = kind == LAST_TURNED ? turns + 2 * (q + (long)s * k) : turns + 2 * (p * (radix - 1) + k - 1);
          if (kind == LAST || (kind == TURNED_INSIDE && k == 0)) {
            *(vf *)(e + real) = re[k], *(vf *)(e + imag) = im[k];
          } else {
            vf c = all(t[0]), d = all(t[1]);
            *(vf *)(e + real) = re[k] * c - im[k] * d, *(vf *)(e + imag) = re[k] * d + im[k] * c;
          }
        }
      }
}

#define PASSES(radix)                                                                                                             \
  static void pass##radix(int kind, int m, int s, const float *x, long xs, float *y, long ys, int imag, const float *turns) {     \
    if (kind == TURNED_INSIDE)                                                                                                    \
      pass(radix, TURNED_INSIDE, m, s, x, xs, y, ys, imag, turns);                                                                \
    else if (kind == LAST)                                                                                                        \
      pass(radix, LAST, 1, s, x, xs, y, ys, imag, turns);                                                                         \
    else                                                                                                                          \
      pass(radix, LAST_TURNED, 1, s, x, xs, y, ys, imag, turns);                                                                  \
  }
PASSES(2)
PASSES(3)
PASSES(4)
PASSES(5)
PASSES(8)

// small transforms LANES sets of points from x to y, which may be the same; its output is turned by `turns` where
// they are given. Both t hold f->n elements.
static void small(const canvas_fft_small *f, const float *x, long xs, float *y, long ys, float *t[2], int imag, const float *turns) {
  const float *inside = f->turns;
  int s = 1, left = f->n;
  for (int i = 0; i < f->passes; i++) {
    const int radix = f->radix[i], last = i == f->passes - 1;
    const int kind = !last ? TURNED_INSIDE : turns ? LAST_TURNED : LAST;
    float *to = last ? y : t[i & 1];
    const long step = last ? ys : ELEMENT;
    left /= radix;
    switch (radix) {
    case 2: pass2(kind, left, s, x, xs, to, step, imag, last ? turns : inside); break;
    case 3: pass3(kind, left, s, x, xs, to, step, imag, last ? turns : inside); break;
    case 4: pass4(kind, left, s, x, xs, to, step, imag, last ? turns : inside); break;
    case 5: pass5(kind, left, s, x, xs, to, step, imag, last ? turns : inside); break;
    default: pass8(kind, left, s, x, xs, to, step, imag, last ? turns : inside);
    }
    inside += 2L * left * (radix - 1), s *= radix, x = to, xs = step;
  }
  if (f->passes == 0 && x != y) memcpy(y, x, ELEMENT * sizeof(float)); // one point; between[j*1+0] is 1
}
