// Computes one product by the library, or both passes of a convolution, for a processor that is emulated. It reads sizes
// and operands from its input, and writes the results.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "convolution.h"
#include "products.h"

using namespace native;

static float *floats(int64_t count) { return static_cast<float *>(std::aligned_alloc(64, (count * 4 + 64) / 64 * 64)); }

/** An array of so many floats, with room behind it. */
static float *taken(int64_t count, bool isRead) {
  float *at = floats(count + GROUP);
  std::memset(at, 0, (count + GROUP) * 4);
  if (isRead && std::fread(at, 4, count, stdin) != size_t(count)) std::exit(1);
  return at;
}

static int convolution() {
  int32_t h[13];
  if (std::fread(h, sizeof h, 1, stdin) != 1) return 1;
  const Convolution c = {h[1], h[2], h[3], h[4], h[5], h[6], h[7], h[8], h[9], h[10] != 0, h[11], h[12]};
  const int64_t images = h[0];
  ConvolutionArrays a = {};
  float *packed = taken(c.packed(), false), *filters = taken(c.filters * c.filter(), false), *gathered = taken(c.gathered(), false);
  a.images = images, a.packed = packed, a.filters = filters, a.filterGradient = gathered;
  a.input = taken(images * c.image, true);
  const float *weights = taken(c.weights(), true);
  a.bias = taken(c.filters, true);
  a.output = taken(images * c.outputImage, true);
  a.outputGradient = taken(images * c.outputImage, true);
  a.inputGradient = taken(images * c.image, false), a.biasGradient = taken(grouped(c.filters), false), a.sums = taken(c.sums(), false);
  a.largest = reinterpret_cast<int32_t *>(taken(images * c.outputs(), false));
  a.lists = reinterpret_cast<Entry *>(taken(c.listBytes(images) / 4, false));
  float *gradient = taken(c.weights(), false);
  convolution_generic.pack(c, weights, packed, filters);
  convolution_generic.forward(c, a);
  convolution_generic.backward(c, a);
  convolution_generic.unpack(c, gathered, gradient);
  std::fwrite(a.output, 4, images * c.outputImage, stdout);
  std::fwrite(gradient, 4, c.weights(), stdout);
  std::fwrite(a.biasGradient, 4, c.filters, stdout);
  std::fwrite(a.inputGradient, 4, images * c.image, stdout);
  return 0;
}

int main(int count, char **) {
  if (count > 1) return convolution();
  int32_t h[7];
  if (std::fread(h, sizeof h, 1, stdin) != 1) return 1;
  const int64_t n = h[0], k = h[1], m = h[2];
  const auto matrix = [](float *at, int64_t rows, int64_t columns, int32_t transposed) {
    return transposed ? Matrix{at, 1, rows} : Matrix{at, columns, 1};
  };
  const Matrix s = matrix(floats(n * k), n, k, h[3]), d = matrix(floats(k * m), k, m, h[4]), c = matrix(floats(n * m), n, m, h[5]);
  if (std::fread(s.at, 4, n * k, stdin) != size_t(n * k) || std::fread(d.at, 4, k * m, stdin) != size_t(k * m)) return 1;
  Lists lists{nullptr, nullptr};
  if (h[6]) {
    lists = {static_cast<uint32_t *>(std::calloc(n, 4)), static_cast<Entry *>(std::calloc(n * k, sizeof(Entry)))};
    generic.list(s, n, k, lists);
  }
  generic.product({n, k, m, s, d, c, lists, floats(k * TILE), floats(n * TILE)});
  return std::fwrite(c.at, 4, n * m, stdout) == size_t(n * m) ? 0 : 1;
}
