// Computes the gradients of convolutions. Zeros are skipped, because relu and pooling leave few elements of a gradient
// that are not zero. It is compiled like convolution.cc.
#include <cstring>

#include "convolution.h"
#include "vectors.h"

namespace native {
namespace {

/** to[V vectors] += sum over the entries of value * from[at * stride], in their order. */
template <int64_t V>
void gather(const Entry *entry, const Entry *end, const float *from, int64_t stride, float *to) {
  Vector sums[V];
#pragma GCC unroll 8
  for (int64_t v = 0; v < V; v++) sums[v] = load(to + v * LANES);
  for (; entry < end; entry++) {
    const float *row = from + entry->at * stride;
    const Vector value = splat(entry->value);
#pragma GCC unroll 8
    for (int64_t v = 0; v < V; v++) sums[v] += load(row + v * LANES) * value;
  }
#pragma GCC unroll 8
  for (int64_t v = 0; v < V; v++) store(to + v * LANES, sums[v]);
}

/** Does the same for this many floats, and for those behind them up to a whole vector. */
inline void gatherAll(const Entry *entry, const Entry *end, const float *from, int64_t stride, float *to, int64_t floats) {
  constexpr int64_t MOST = 8;
  int64_t vectors = (floats + LANES - 1) / LANES;
  for (; vectors > MOST; vectors -= MOST, from += MOST * LANES, to += MOST * LANES) gather<MOST>(entry, end, from, stride, to);
  switch (vectors) {
    case 1: return gather<1>(entry, end, from, stride, to);
    case 2: return gather<2>(entry, end, from, stride, to);
    case 3: return gather<3>(entry, end, from, stride, to);
    case 4: return gather<4>(entry, end, from, stride, to);
    case 5: return gather<5>(entry, end, from, stride, to);
    case 6: return gather<6>(entry, end, from, stride, to);
    case 7: return gather<7>(entry, end, from, stride, to);
    case 8: return gather<8>(entry, end, from, stride, to);
  }
}

/**
 * Lists of the elements of the gradient at the sums that are not zero. An entry's `at` is the filter, or the offset in
 * floats where the filter's window begins in the input.
 */
struct GradientLists {
  /** For one image: [pixel of the sums, up to all filters]. */
  uint32_t *pixelCounts;
  Entry *byPixel;
  /** For all images: [filter, up to all outputs]. */
  uint32_t *filterCounts;
  Entry *byFilter;
  int64_t filterRoom;
};

GradientLists listsIn(const Convolution &c, const ConvolutionArrays &a) {
  const int64_t pixels = c.sumHeight() * c.sumWidth(), room = a.images * c.outputHeight() * c.outputWidth();
  Entry *byFilter = a.lists + pixels * c.filters;
  uint32_t *counts = reinterpret_cast<uint32_t *>(byFilter + room * c.filters);
  return {counts, a.lists, counts + pixels, byFilter, room};
}

/**
 * values = the gradient of an output at the sums. Values behind the filters, up to a whole group, do not count. Returns
 * false if all are zero.
 */
bool valuesOf(const Convolution &c, const float *output, const float *gradients, float *values) {
  Integers isThere = {};
  for (int64_t f = 0; f < c.filters; f += LANES) {
    Vector value = load(gradients + f);
    if (c.hasRelu) value = load(output + f) > Vector{} ? value : Vector{};
    isThere |= value != Vector{};
    store(values + f, value);
  }
  int32_t any = 0;
  for (int64_t i = 0; i < LANES; i++) any |= isThere[i];
  return any != 0;
}

/** biasGradient += the gradient at the sums of all outputs. */
void addBias(const Convolution &c, const ConvolutionArrays &a) {
  for (int64_t n = 0; n < a.images; n++)
    for (int64_t y = 0; y < c.outputHeight(); y++)
      for (int64_t x = 0; x < c.outputWidth(); x++) {
        const int64_t at = n * c.outputImage + y * c.outputLine + x * c.filters;
        for (int64_t f = 0; f < c.filters; f += LANES) {
          Vector value = load(a.outputGradient + at + f);
          if (c.hasRelu) value = load(a.output + at + f) > Vector{} ? value : Vector{};
          store(a.biasGradient + f, load(a.biasGradient + f) + value);
        }
      }
}

/**
 * Calls visit(line, pixel, values, largest) for each output of image n whose gradient is not all zero. line and pixel
 * are the first of its window.
 */
template <typename Visit>
void visitOutputs(const Convolution &c, const ConvolutionArrays &a, int64_t n, Visit visit) {
  const int64_t height = c.outputHeight(), width = c.outputWidth();
  float *values = a.sums;
  for (int64_t y = 0; y < height; y++)
    for (int64_t x = 0; x < width; x++) {
      const int64_t at = n * c.outputImage + y * c.outputLine + x * c.filters;
      if (!valuesOf(c, a.output + at, a.outputGradient + at, values)) continue;
      visit(y * c.pool, x * c.pool, values, c.pool == 1 ? nullptr : a.largest + ((n * height + y) * width + x) * c.filters);
    }
}

/** The offset of each element of a pooling window. line, pixel: the strides of its lines and pixels. */
struct WindowPlaces {
  uint32_t at[MOST_POOL * MOST_POOL];

  WindowPlaces(const Convolution &c, int64_t line, int64_t pixel) {
    for (int64_t n = 0; n < c.pool * c.pool; n++) at[n] = n / c.pool * line + n % c.pool * pixel;
  }
};

/** The lists to make. */
enum class Kind { byPixel, byFilter, both };

/**
 * Makes the lists of image n: by pixel, or by filter, appended in the order of the outputs. The place behind a list's
 * end is written to, but does not count.
 */
template <Kind KIND>
void list(const Convolution &c, const ConvolutionArrays &a, const GradientLists &lists, int64_t n) {
  const WindowPlaces pixels(c, c.sumWidth(), 1), windows(c, c.line(), c.pixel);
  const int64_t filters = c.filters, room = lists.filterRoom;
  Entry *const byPixel = lists.byPixel, *const byFilter = lists.byFilter;
  uint32_t *const pixelCounts = lists.pixelCounts, *const filterCounts = lists.filterCounts;
  if (KIND != Kind::byFilter) std::memset(pixelCounts, 0, c.sumHeight() * c.sumWidth() * sizeof(uint32_t));
  visitOutputs(c, a, n, [&](int64_t y, int64_t x, const float *values, const int32_t *largest) {
    const int64_t pixel = y * c.sumWidth() + x;
    const uint32_t window = n * c.image + y * c.line() + x * c.pixel;
    const auto add = [&](int64_t f, int64_t in, uint32_t at) {
      const float value = values[f];
      const uint32_t isThere = value != 0;
      if (KIND != Kind::byFilter) {
        const uint32_t count = pixelCounts[in];
        byPixel[in * filters + count] = {static_cast<uint32_t>(f), value};
        pixelCounts[in] = count + isThere;
      }
      if (KIND != Kind::byPixel) {
        const uint32_t count = filterCounts[f];
        byFilter[f * room + count] = {at, value};
        filterCounts[f] = count + isThere;
      }
    };
    if (largest == nullptr)
      for (int64_t f = 0; f < filters; f++) add(f, pixel, window);
    else
      for (int64_t f = 0; f < filters; f++) add(f, pixel + pixels.at[largest[f]], window + windows.at[largest[f]]);
  });
}

/** expanded [pixel of the sums, grouped(filters)] = the gradient of image n at the sums, zeros included. */
void expand(const Convolution &c, const ConvolutionArrays &a, int64_t n, float *expanded) {
  const int64_t columns = grouped(c.filters);
  std::memset(expanded, 0, c.sumHeight() * c.sumWidth() * columns * sizeof(float));
  visitOutputs(c, a, n, [&](int64_t y, int64_t x, const float *values, const int32_t *) {
    std::memcpy(expanded + (y * c.sumWidth() + x) * columns, values, c.filters * sizeof(float));
  });
}

/** A pixel of the sums, and the start of its window in the input; the window has an element that is not zero. */
struct Place {
  uint32_t pixel, window;
};

/** to[R floats of a window, V vectors of filters] += the products of both, pixel by pixel. */
template <int64_t R, int64_t V>
void outer(const Place *place, const Place *end, const float *input, const float *expanded, int64_t columns, float *to) {
  BlockVector sums[R][V];
#pragma GCC unroll 8
  for (int64_t r = 0; r < R; r++)
#pragma GCC unroll 4
    for (int64_t v = 0; v < V; v++) sums[r][v] = loadBlock(to + r * columns + v * BLOCK_LANES);
  for (; place < end; place++) {
    const float *window = input + place->window, *gradients = expanded + place->pixel * columns;
    BlockVector row[V];
#pragma GCC unroll 4
    for (int64_t v = 0; v < V; v++) row[v] = loadBlock(gradients + v * BLOCK_LANES);
#pragma GCC unroll 8
    for (int64_t r = 0; r < R; r++) {
      const BlockVector value = window[r] - BlockVector{};
#pragma GCC unroll 4
      for (int64_t v = 0; v < V; v++) sums[r][v] += row[v] * value;
    }
  }
#pragma GCC unroll 8
  for (int64_t r = 0; r < R; r++)
#pragma GCC unroll 4
    for (int64_t v = 0; v < V; v++) storeBlock(to + r * columns + v * BLOCK_LANES, sums[r][v]);
}

template <int64_t R>
void outers(const Convolution &c, const Place *places, const Place *end, const float *input, const float *expanded, float *to) {
  const int64_t columns = grouped(c.filters);
  int64_t f = 0;
  for (; f + WIDTH <= c.filters; f += WIDTH) outer<R, VECTORS>(places, end, input, expanded + f, columns, to + f);
  for (; f < c.filters; f += BLOCK_LANES) outer<R, 1>(places, end, input, expanded + f, columns, to + f);
}

/**
 * Computes the gradient of filters whose windows are narrow, in the order of packed weights. Lists would take longer
 * than the products here.
 */
void narrowGradient(const Convolution &c, const ConvolutionArrays &a, int64_t n) {
  const int64_t width = c.sumWidth(), pixels = c.sumHeight() * width, columns = grouped(c.filters), run = c.run();
  float *expanded = reinterpret_cast<float *>(a.lists);
  Place *places = reinterpret_cast<Place *>(expanded + pixels * columns), *end = places;
  expand(c, a, n, expanded);
  for (int64_t line = 0; line < c.kernelHeight; line++) {
    const float *input = a.input + n * c.image + line * c.line();
    end = places;
    for (int64_t pixel = 0; pixel < pixels; pixel++) {
      const uint32_t window = pixel / width * c.line() + pixel % width * c.pixel;
      bool isThere = false;
      for (int64_t k = 0; k < run; k++) isThere |= input[window + k] != 0;
      *end = {static_cast<uint32_t>(pixel), window};
      end += isThere;
    }
    float *to = a.filterGradient + line * run * columns;
    int64_t k = 0;
    for (; k + ROWS <= run; k += ROWS) outers<ROWS>(c, places, end, input + k, expanded, to + k * columns);
    for (; k < run; k++) outers<1>(c, places, end, input + k, expanded, to + k * columns);
  }
}

/**
 * Computes the gradient at the input. Consecutive windows of the inner loop do not overlap, so that no load waits for
 * the last store.
 */
void inputGradient(const Convolution &c, const ConvolutionArrays &a, const GradientLists &lists, float *to) {
  const int64_t width = c.sumWidth(), height = c.sumHeight();
  std::memset(to, 0, c.image * sizeof(float));
  for (int64_t y = 0; y < height; y++)
    for (int64_t first = 0; first < c.kernelWidth && first < width; first++)
      for (int64_t x = first; x < width; x += c.kernelWidth) {
        const int64_t pixel = y * width + x;
        const Entry *entry = lists.byPixel + pixel * c.filters, *end = entry + lists.pixelCounts[pixel];
        if (entry == end) continue;
        float *window = to + y * c.line() + x * c.pixel;
        for (int64_t line = 0; line < c.kernelHeight; line++)
          gatherAll(entry, end, a.filters + line * c.packedRun(), c.filter(), window + line * c.line(), c.run());
      }
}

}  // namespace

void JOIN(backward_, VARIANT)(const Convolution &c, const ConvolutionArrays &a) {
  const GradientLists lists = listsIn(c, a);
  const bool isNarrow = c.isNarrow();
  addBias(c, a);
  std::memset(lists.filterCounts, 0, c.filters * sizeof(uint32_t));
  for (int64_t n = 0; n < a.images; n++) {
    if (isNarrow) narrowGradient(c, a, n);
    if (a.inputGradient == nullptr) {
      if (!isNarrow) list<Kind::byFilter>(c, a, lists, n);
      continue;
    }
    if (isNarrow) list<Kind::byPixel>(c, a, lists, n);
    else list<Kind::both>(c, a, lists, n);
    inputGradient(c, a, lists, a.inputGradient + n * c.image);
  }
  if (isNarrow) return;
  for (int64_t f = 0; f < c.filters; f++) {
    const Entry *entry = lists.byFilter + f * lists.filterRoom, *end = entry + lists.filterCounts[f];
    for (int64_t line = 0; line < c.kernelHeight; line++)
      gatherAll(entry, end, a.input + line * c.line(), 1, a.filterGradient + f * c.filter() + line * c.packedRun(), c.run());
  }
}

}  // namespace native
