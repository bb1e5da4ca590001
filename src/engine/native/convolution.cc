// Convolutions with their bias, relu and pooling. This file is compiled once for each kind of processor, like
// products.cc. Each output is one chain of rounded multiplications and additions, so that the bits are the same.
#include "convolution.h"

#include <cstring>

#include "vectors.h"

namespace native {
namespace {

/**
 * packed = w [kernelHeight * run, filters] with the filters padded; filters = the same as [filters, kernelHeight,
 * packedRun].
 */
void pack(const Convolution &c, const float *w, float *packed, float *filters) {
  const int64_t run = c.run(), columns = grouped(c.filters), length = c.filter();
  std::memset(packed, 0, c.packed() * sizeof(float));
  for (int64_t k = 0; k < c.kernelHeight * run; k++) std::memcpy(packed + k * columns, w + k * c.filters, c.filters * sizeof(float));
  if (filters == nullptr) return;
  std::memset(filters, 0, c.filters * length * sizeof(float));
  for (int64_t line = 0; line < c.kernelHeight; line++)
    transpose(w + line * run * c.filters, c.filters, run, c.filters, filters + line * c.packedRun(), length);
}

/** w [kernelHeight * run, filters] = `gathered`, the gradient in the order in which the backward pass gathers it. */
void unpack(const Convolution &c, const float *gathered, float *w) {
  const int64_t run = c.run();
  if (c.isNarrow()) {
    for (int64_t k = 0; k < c.kernelHeight * run; k++) std::memcpy(w + k * c.filters, gathered + k * grouped(c.filters), c.filters * sizeof(float));
    return;
  }
  for (int64_t line = 0; line < c.kernelHeight; line++)
    transpose(gathered + line * c.packedRun(), c.filter(), c.filters, run, w + line * run * c.filters, c.filters);
}

/**
 * to [image, pixel of the sums, room] = the floats of each window, one after the other, and zeros up to a whole group.
 */
void unfold(const Convolution &c, int64_t images, const float *input, float *to) {
  const int64_t run = c.run(), length = c.kernelHeight * run, room = grouped(length);
  for (int64_t n = 0; n < images; n++)
    for (int64_t y = 0; y < c.sumHeight(); y++)
      for (int64_t x = 0; x < c.sumWidth(); x++, to += room) {
        const float *window = input + n * c.image + y * c.line() + x * c.pixel;
        // Floats that are copied beyond a line are overwritten by the next line, by zeros, or by the next pixel.
        for (int64_t line = 0; line < c.kernelHeight; line++)
          for (int64_t k = 0; k < run; k += 4) storeFour(to + line * run + k, loadFour(window + line * c.line() + k));
        for (int64_t k = length; k < room; k++) to[k] = 0;
      }
}

/** out[R pixels, V vectors of filters] = the sums over the windows that begin at `from`. */
template <int64_t R, int64_t V>
void block(const Convolution &c, const float *const *from, const float *packed, float *out) {
  const int64_t columns = grouped(c.filters), run = c.run(), line = c.line();
  const float *pixels[R];
  for (int64_t r = 0; r < R; r++) pixels[r] = from[r];
  BlockVector sums[R][V] = {};
  for (int64_t ky = 0; ky < c.kernelHeight; ky++) {
    for (int64_t k = 0; k < run; k++, packed += columns) {
      BlockVector row[V];
#pragma GCC unroll 4
      for (int64_t v = 0; v < V; v++) row[v] = loadBlock(packed + v * BLOCK_LANES);
#pragma GCC unroll 8
      for (int64_t r = 0; r < R; r++) {
        const BlockVector value = pixels[r][k] - BlockVector{};
#pragma GCC unroll 4
        for (int64_t v = 0; v < V; v++) sums[r][v] += row[v] * value;
      }
    }
#pragma GCC unroll 8
    for (int64_t r = 0; r < R; r++) pixels[r] += line;
  }
#pragma GCC unroll 8
  for (int64_t r = 0; r < R; r++)
#pragma GCC unroll 4
    for (int64_t v = 0; v < V; v++) storeBlock(out + r * columns + v * BLOCK_LANES, sums[r][v]);
}

template <int64_t R>
void blocks(const Convolution &c, const float *const *from, const float *packed, float *out) {
  int64_t f = 0;
  for (; f + WIDTH <= c.filters; f += WIDTH) block<R, VECTORS>(c, from, packed + f, out + f);
  const int64_t rest = (c.filters - f + BLOCK_LANES - 1) / BLOCK_LANES;
  if (VECTORS > 3 && rest == 3) block<R, 3>(c, from, packed + f, out + f);
  else if (VECTORS > 2 && rest == 2) block<R, 2>(c, from, packed + f, out + f);
  else if (rest == 1) block<R, 1>(c, from, packed + f, out + f);
  else if (rest > 1) block<R, VECTORS>(c, from, packed + f, out + f);
}

/**
 * Finds the windows of a line of sums. Lines are counted over all images; lines that no pooling reads are not counted.
 */
struct Windows {
  const Convolution &c;
  const float *input;
  int64_t height;

  const float *line(int64_t n) const { return input + n / height * c.image + n % height * c.line(); }
};

/** sums[count, sumWidth, grouped(filters)] = the sums of `count` lines from line `first` on. */
void lines(const Convolution &c, const Windows &windows, int64_t first, int64_t count, const float *packed, float *sums) {
  const int64_t columns = grouped(c.filters), width = c.sumWidth();
  const float *from[ROWS];
  int64_t line = first, x = 0, all = count * width;
  for (int64_t p = 0; p < all;) {
    // Two blocks of 4 are faster than blocks of 6, 1 and 1.
    const int64_t rest = all - p;
    const int64_t rows = rest >= ROWS && rest != 8 && rest != 9 ? ROWS : rest >= 4 ? 4 : 1;
    for (int64_t r = 0; r < rows; r++) {
      from[r] = windows.line(line) + x * c.pixel;
      if (++x == width) x = 0, line++;
    }
    float *out = sums + p * columns;
    if (rows == ROWS) blocks<ROWS>(c, from, packed, out);
    else if (rows == 4) blocks<4>(c, from, packed, out);
    else blocks<1>(c, from, packed, out);
    p += rows;
  }
}

inline Vector loadSome(const float *from, int64_t count) {
  float some[LANES] = {};
  std::memcpy(some, from, count * sizeof(float));
  return load(some);
}

/**
 * Computes an output with all its filters: the sums of a pixel, or the largest of each window, plus the bias. relu
 * keeps NaN.
 */
void finish(const Convolution &c, const float *sums, const float *bias, float *output, int32_t *largest) {
  const int64_t columns = grouped(c.filters), width = c.sumWidth();
  for (int64_t f = 0; f < c.filters; f += LANES) {
    Vector best = load(sums + f);
    Integers at = {};
    for (int32_t n = 1; n < c.pool * c.pool; n++) {
      const Vector other = load(sums + (n / c.pool * width + n % c.pool) * columns + f);
      const Integers isLarger = other > best;
      best = isLarger ? other : best;
      at = isLarger ? Integers{} + n : at;
    }
    const bool isWhole = f + LANES <= c.filters;
    best += isWhole ? load(bias + f) : loadSome(bias + f, c.filters - f);
    if (c.hasRelu) best = best < Vector{} ? Vector{} : best;
    if (isWhole) {
      store(output + f, best);
      if (largest != nullptr) std::memcpy(largest + f, &at, sizeof at);
    } else {
      std::memcpy(output + f, &best, (c.filters - f) * sizeof(float));
      if (largest != nullptr) std::memcpy(largest + f, &at, (c.filters - f) * sizeof(int32_t));
    }
  }
}

void forward(const Convolution &c, const ConvolutionArrays &a) {
  const int64_t height = c.outputHeight(), width = c.outputWidth(), columns = grouped(c.filters), all = a.images * height;
  const int64_t atOnce = c.linesAtOnce() / c.pool;
  const Windows windows = {c, a.input, height * c.pool};
  for (int64_t first = 0; first < all; first += atOnce) {
    const int64_t end = first + atOnce < all ? first + atOnce : all;
    lines(c, windows, first * c.pool, (end - first) * c.pool, a.packed, a.sums);
    for (int64_t line = first; line < end; line++) {
      const float *sums = a.sums + (line - first) * c.pool * c.sumWidth() * columns;
      float *output = a.output + line / height * c.outputImage + line % height * c.outputLine;
      for (int64_t x = 0; x < width; x++) {
        int32_t *largest = a.largest == nullptr ? nullptr : a.largest + (line * width + x) * c.filters;
        finish(c, sums + x * c.pool * columns, a.bias, output + x * c.filters, largest);
      }
    }
  }
}

}  // namespace

extern const ConvolutionVariant JOIN(convolution_, VARIANT) = {pack, unpack, unfold, forward, JOIN(backward_, VARIANT)};

}  // namespace native
