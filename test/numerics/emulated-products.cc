// One product by the library, for a processor that is emulated: reads sizes, strides and operands from its input, writes the outputs.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "products.h"

using namespace dense;

static float *floats(int64_t count) { return static_cast<float *>(std::aligned_alloc(64, (count * 4 + 64) / 64 * 64)); }

int main() {
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
