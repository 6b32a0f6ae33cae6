// Quadratic phases, LANES of them side by side. The sixteen samples of a block lie at c ± t · d around its centre c,
// t = 0.5, 1.5 ... 7.5, so that
//   exp 2πi φ(c ± td) = exp 2πi φ(c) · exp 2πi C d² t² · (exp 2πi s)^±t   with s = d (B + 2 C c)
// where the second factor is the same for all blocks and the third costs two samples one product. The first and the
// third advance from block to block in double precision, so that no rounding of single precision adds up over more
// than seven steps.
#define BLOCK 16

typedef struct {
  float square[BLOCK / 2][2][LANES]; // exp 2πi C d² t²
  double faster[2][LANES];           // what `step` of an anchor is turned by at each advance
  double steeper[2][LANES];          // what `half` is turned by
} chirp;

// An anchor holds exp 2πi φ(c), exp 2πi (φ of the next block's c - φ(c)) and exp 2πi s/2.
typedef struct {
  double centre[2][LANES], step[2][LANES], half[2][LANES];
} anchor;

typedef struct {
  double a[LANES], b[LANES], c[LANES];
} phases;

// turn returns cos and sin of 2π times x: x is reduced to an eighth of a turn, then Taylor's series.
INLINE void turn(vd x, vd *cosine, vd *sine) {
  const vd shift = alld(6755399441055744.0); // 1.5 * 2^52: the sum's last bits are the nearest integer
  vd shifted = x * 4 + shift, r = (x - (shifted - shift) * 0.25) * 6.283185307179586476925;
  vl quarter = (vl)shifted;
  vd q = r * r;
  vd s = alld(-1 / 1307674368000.0), c = alld(1 / 20922789888000.0);
  s = s * q + 1 / 6227020800.0, s = s * q - 1 / 39916800.0, s = s * q + 1 / 362880.0, s = s * q - 1 / 5040.0;
  s = s * q + 1 / 120.0, s = s * q - 1 / 6.0, s = r + r * (q * s);
  c = c * q - 1 / 87178291200.0, c = c * q + 1 / 479001600.0, c = c * q - 1 / 3628800.0, c = c * q + 1 / 40320.0;
  c = c * q - 1 / 720.0, c = c * q + 1 / 24.0, c = c * q - 0.5, c = c * q + 1.0;
  vl swap = -(quarter & 1);
  vl cb = ((vl)c & ~swap) | ((vl)s & swap), sb = ((vl)s & ~swap) | ((vl)c & swap);
  *cosine = (vd)(cb ^ (((quarter + 1) & 2) << 62)), *sine = (vd)(sb ^ ((quarter & 2) << 62));
}

INLINE void turned(double a[2][LANES], int at, vd cr, vd ci) {
  vd r = *(vd *)&a[0][at], i = *(vd *)&a[1][at];
  *(vd *)&a[0][at] = r * cr - i * ci, *(vd *)&a[1][at] = r * ci + i * cr;
}

INLINE void turn_at(double to[2][LANES], int at, vd x) { turn(x, (vd *)&to[0][at], (vd *)&to[1][at]); }

// chirp_start: samples of a block are d apart, an advance moves its centre by `by`.
static void chirp_start(chirp *ch, const phases *p, double d, double by) {
  for (int at = 0; at < LANES; at += WIDTH / 2) {
    const vd c = *(const vd *)&p->c[at];
    turn_at(ch->faster, at, c * (2 * by * by));
    turn_at(ch->steeper, at, c * (d * by));
    for (int i = 0; i < BLOCK / 2; i++) {
      double re[WIDTH / 2] __attribute__((aligned(64))), im[WIDTH / 2] __attribute__((aligned(64)));
      turn(c * (d * d * ((i + 0.5) * (i + 0.5))), (vd *)re, (vd *)im);
      for (int k = 0; k < WIDTH / 2; k++) ch->square[i][0][at + k] = (float)re[k], ch->square[i][1][at + k] = (float)im[k];
    }
  }
}

// anchor_start puts an anchor on the block whose first sample has the index `first`; `scale` is a factor of its values.
static void anchor_start(anchor *an, const phases *p, double first, double d, double by, double scale) {
  const double m = first + (BLOCK / 2 - 0.5) * d;
  for (int at = 0; at < LANES; at += WIDTH / 2) {
    const vd a = *(const vd *)&p->a[at], b = *(const vd *)&p->b[at], c = *(const vd *)&p->c[at];
    turn_at(an->centre, at, a + (b + c * m) * m);
    *(vd *)&an->centre[0][at] *= scale, *(vd *)&an->centre[1][at] *= scale;
    turn_at(an->step, at, (b + c * (2 * m + by)) * by);
    turn_at(an->half, at, (b + c * (2 * m)) * (0.5 * d));
  }
}

INLINE void anchor_advance(anchor *an, const chirp *ch) {
  UNROLL(8)
  for (int at = 0; at < LANES; at += WIDTH / 2) {
    turned(an->centre, at, *(vd *)&an->step[0][at], *(vd *)&an->step[1][at]);
    turned(an->step, at, *(const vd *)&ch->faster[0][at], *(const vd *)&ch->faster[1][at]);
    turned(an->half, at, *(const vd *)&ch->steeper[0][at], *(const vd *)&ch->steeper[1][at]);
  }
}

INLINE vf narrow(const double *p) {
#if WIDTH == 16
  vh low = __builtin_convertvector(*(const vd *)p, vh), high = __builtin_convertvector(*(const vd *)(p + 8), vh);
  return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#elif WIDTH == 8
  vh low = __builtin_convertvector(*(const vd *)p, vh), high = __builtin_convertvector(*(const vd *)(p + 4), vh);
  return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7);
#else
  vh low = __builtin_convertvector(*(const vd *)p, vh), high = __builtin_convertvector(*(const vd *)(p + 2), vh);
  return __builtin_shufflevector(low, high, 0, 1, 2, 3);
#endif
}

// chirp_block turns the sixteen elements at x, and multiplies them by `window` where `windowed`.
INLINE void chirp_block(const chirp *ch, const anchor *an, float *x, long xs, const int windowed, const float *window) {
  UNROLL(4)
  for (int lane = 0; lane < LANES; lane += WIDTH) {
    const vf er = narrow(&an->centre[0][lane]), ei = narrow(&an->centre[1][lane]);
    vf ur = narrow(&an->half[0][lane]), ui = narrow(&an->half[1][lane]);
    double twice[2][WIDTH] __attribute__((aligned(64)));
    UNROLL(2)
    for (int k = 0; k < WIDTH; k += WIDTH / 2) {
      vd r = *(const vd *)&an->half[0][lane + k], i = *(const vd *)&an->half[1][lane + k];
      *(vd *)&twice[0][k] = r * r - i * i, *(vd *)&twice[1][k] = r * i + i * r;
    }
    const vf wr = narrow(twice[0]), wi = narrow(twice[1]);
    UNROLL(8)
    for (int i = 0; i < BLOCK / 2; i++) {
      float *m = x + (BLOCK / 2 - 1 - i) * xs + lane, *p = x + (BLOCK / 2 + i) * xs + lane;
      vf qr = *(const vf *)&ch->square[i][0][lane], qi = *(const vf *)&ch->square[i][1][lane];
      vf fr = er * qr - ei * qi, fi = er * qi + ei * qr;
      vf rr = fr * ur, ii = fi * ui, ri = fr * ui, ir = fi * ur;
      vf pr = rr - ii, pi = ri + ir, mr = rr + ii, mi = ir - ri;
      if (windowed) {
        vf wp = all(window[BLOCK / 2 + i]), wm = all(window[BLOCK / 2 - 1 - i]);
        pr *= wp, pi *= wp, mr *= wm, mi *= wm;
      }
      vf xr = *(vf *)p, xi = *(vf *)(p + LANES), yr = *(vf *)m, yi = *(vf *)(m + LANES);
      *(vf *)p = xr * pr - xi * pi, *(vf *)(p + LANES) = xr * pi + xi * pr;
      *(vf *)m = yr * mr - yi * mi, *(vf *)(m + LANES) = yr * mi + yi * mr;
      vf nr = ur * wr - ui * wi, ni = ur * wi + ui * wr;
      ur = nr, ui = ni;
    }
  }
}

// chirp_part is chirp_block for the samples from `from` to before `to` alone.
static void chirp_part(const chirp *ch, const anchor *an, float *x, long xs, const float *window, int from, int to) {
  float t[BLOCK][ELEMENT] __attribute__((aligned(64))), w[BLOCK] = {0};
  memset(t, 0, sizeof t);
  for (int i = from; i < to; i++) {
    memcpy(t[i], x + i * xs, sizeof t[i]);
    if (window) w[i] = window[i];
  }
  if (window)
    chirp_block(ch, an, t[0], ELEMENT, 1, w);
  else
    chirp_block(ch, an, t[0], ELEMENT, 0, NULL);
  for (int i = from; i < to; i++) memcpy(x + i * xs, t[i], sizeof t[i]);
}

// reduced takes whole turns away. Indices are whole numbers, so this may be done with each coefficient by itself.
static double reduced(double x) {
  const double shift = 6755399441055744.0;
  return x - ((x + shift) - shift);
}

static void phases_of(phases *p, const canvas_fft_phase *from, int rows) {
  for (int i = 0; i < LANES; i++) {
    const canvas_fft_phase *f = from + (i < rows ? i : 0);
    p->a[i] = reduced(f->a), p->b[i] = reduced(f->b), p->c[i] = reduced(f->c);
  }
}
