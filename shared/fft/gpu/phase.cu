// phase multiplies row r by exp 2πi(A + B n + C n²), of which abc holds A, B and C, n being i for the samples before
// `split` and i - width from there on; and by window[i] and factors[r], where these are there. Turns are counted in
// double precision; what is left of them without the whole ones is small enough for single precision.
extern "C" __global__ void phase(float2 *data, int width, int rows, const double *abc, int split, const float *window, const float *factors) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= width) return;
  const double n = i < split ? i : i - width;
  const float w = window ? window[i] : 1;
  for (int r = blockIdx.y; r < rows; r += gridDim.y) {
    const double turns = abc[3 * r] + (abc[3 * r + 1] + abc[3 * r + 2] * n) * n;
    float s, c;
    sincospif(2 * (float)(turns - rint(turns)), &s, &c);
    const float f = factors ? w * factors[r] : w;
    s *= f, c *= f;
    float2 *at = data + (size_t)r * width + i;
    const float2 v = *at;
    at->x = v.x * c - v.y * s;
    at->y = v.x * s + v.y * c;
  }
}
