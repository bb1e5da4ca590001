// Adds the nearest neighbours in a tile of cosines to those found so far. It is compiled once for each kind of
// processor; comparisons have the same results on all.
#include "products.h"
#include "vectors.h"

namespace native {
namespace {

/** Returns whether any element of 4 vectors of cosines is larger than `least`. */
inline bool isAnyLarger(const float *cosines, Vector least) {
  const Integers larger = (load(cosines) > least) | (load(cosines + LANES) > least) | (load(cosines + 2 * LANES) > least) |
                          (load(cosines + 3 * LANES) > least);
  typedef int64_t Longs __attribute__((vector_size(VECTOR)));
  const Longs halves = reinterpret_cast<const Longs &>(larger);
  int64_t any = 0;
  for (int64_t i = 0; i < LANES / 2; i++) any |= halves[i];
  return any != 0;
}

}  // namespace

/** Goes through the columns in their order, so that of equals the lower one stays before the other. */
void JOIN(nearer_, VARIANT)(const Tile &tile, const Nearest &nearest) {
  constexpr int64_t STEP = 4 * LANES;
  const int64_t last = nearest.count - 1;
  for (int64_t r = 0; r < tile.height; r++) {
    const float *cosines = tile.cosines + r * tile.row;
    float *found = nearest.cosines + r * nearest.count;
    uint32_t *rows = nearest.rows + r * nearest.count;
    const int64_t self = tile.own + r - tile.from;
    for (int64_t start = 0; start < tile.width; start += STEP) {
      const int64_t end = start + STEP < tile.width ? start + STEP : tile.width;
      if (end - start == STEP && !isAnyLarger(cosines + start, splat(found[last]))) continue;
      for (int64_t c = start; c < end; c++) {
        const float cosine = cosines[c];
        if (!(cosine > found[last]) || c == self) continue;
        int64_t at = last;
        for (; at > 0 && cosine > found[at - 1]; at--) found[at] = found[at - 1], rows[at] = rows[at - 1];
        found[at] = cosine;
        rows[at] = static_cast<uint32_t>(tile.from + c);
      }
    }
  }
}

}  // namespace native
