// Products of dense matrices with matrices that have many zeros. This file is compiled once for each kind of processor,
// with its own VARIANT and VECTOR (bytes of a vector). The bits are the same, because no sum is split and nothing is
// contracted (-ffp-contract=off).
#include <cstring>

#include "products.h"
#include "vectors.h"

namespace native {
namespace {

/** The rows of a tile that stay in the first-level cache. */
constexpr int64_t DEPTH = 128;

/** tile[k, 0..TILE) = d[k, m..m + width), and zeros behind that. */
void pack(const Product &p, int64_t m, int64_t width) {
  if (width < TILE) std::memset(p.tile, 0, p.k * TILE * sizeof(float));
  const float *from = p.d.at + m * p.d.columns;
  if (p.d.rows == 1 && p.d.columns != 1) return transpose(from, p.d.columns, width, p.k, p.tile, TILE);
  for (int64_t k = 0; k < p.k; k++) std::memcpy(p.tile + k * TILE, from + k * p.d.rows, width * sizeof(float));
}

/** out[n, 0..TILE) = the products from the lists. */
void sparse(const Product &p, float *out, int64_t outRow) {
  constexpr int64_t ALL = TILE / LANES;
  const char *tile = reinterpret_cast<const char *>(p.tile);
  for (int64_t n = 0; n < p.n; n++) {
    const Entry *entry = p.lists.entries + n * p.k;
    const Entry *end = entry + p.lists.counts[n];
    Vector sums[ALL] = {};
    for (; entry < end; entry++) {
      const float *row = reinterpret_cast<const float *>(tile + entry->at);
      const Vector value = splat(entry->value);
#pragma GCC unroll 8
      for (int64_t j = 0; j < ALL; j++) sums[j] += load(row + j * LANES) * value;
    }
#pragma GCC unroll 8
    for (int64_t j = 0; j < ALL; j++) store(out + n * outRow + j * LANES, sums[j]);
  }
}

/** out[0..R, 0..WIDTH) += s[0..R, 0..depth) * d[0..depth, 0..WIDTH). */
template <int64_t R>
void block(const float *s, const Matrix &strides, const float *d, int64_t dRow, int64_t depth, float *out, int64_t outRow, bool isFirst) {
  BlockVector sums[R][VECTORS];
#pragma GCC unroll 12
  for (int64_t r = 0; r < R; r++)
#pragma GCC unroll 4
    for (int64_t j = 0; j < VECTORS; j++) sums[r][j] = isFirst ? BlockVector{} : loadBlock(out + r * outRow + j * BLOCK_LANES);
  for (int64_t k = 0; k < depth; k++, d += dRow, s += strides.columns) {
    BlockVector row[VECTORS];
#pragma GCC unroll 4
    for (int64_t j = 0; j < VECTORS; j++) row[j] = loadBlock(d + j * BLOCK_LANES);
#pragma GCC unroll 12
    for (int64_t r = 0; r < R; r++) {
      const BlockVector value = s[r * strides.rows] - BlockVector{};
#pragma GCC unroll 4
      for (int64_t j = 0; j < VECTORS; j++) sums[r][j] += row[j] * value;
    }
  }
#pragma GCC unroll 12
  for (int64_t r = 0; r < R; r++)
#pragma GCC unroll 4
    for (int64_t j = 0; j < VECTORS; j++) storeBlock(out + r * outRow + j * BLOCK_LANES, sums[r][j]);
}

/** out[n, 0..TILE) = the products from all elements. d: [k, TILE], with dRow floats from row to row. */
void full(const Product &p, const float *d, int64_t dRow, float *out, int64_t outRow) {
  if (p.k == 0)
    for (int64_t n = 0; n < p.n; n++) std::memset(out + n * outRow, 0, TILE * sizeof(float));
  for (int64_t k = 0; k < p.k; k += DEPTH) {
    const int64_t depth = k + DEPTH < p.k ? DEPTH : p.k - k;
    int64_t n = 0;
    for (; n < p.n;) {
      const int64_t rows = n + ROWS <= p.n ? ROWS : n + 4 <= p.n ? 4 : 1;
      const float *s = p.s.at + n * p.s.rows + k * p.s.columns;
      for (int64_t j = 0; j < TILE; j += WIDTH) {
        const float *from = d + k * dRow + j;
        float *to = out + n * outRow + j;
        if (rows == ROWS) block<ROWS>(s, p.s, from, dRow, depth, to, outRow, k == 0);
        else if (rows == 4) block<4>(s, p.s, from, dRow, depth, to, outRow, k == 0);
        else block<1>(s, p.s, from, dRow, depth, to, outRow, k == 0);
      }
      n += rows;
    }
  }
}

void product(const Product &p) {
  for (int64_t m = 0; m < p.m; m += TILE) {
    const int64_t width = m + TILE < p.m ? TILE : p.m - m;
    const bool isWhole = width == TILE;
    const bool isDirect = isWhole && p.c.columns == 1;
    float *out = isDirect ? p.c.at + m : p.out;
    const int64_t outRow = isDirect ? p.c.rows : TILE;
    const bool isSparse = p.lists.entries != nullptr;
    // For few rows a copy takes longer than it saves.
    const bool isPacked = isSparse || !isWhole || p.d.columns != 1 || p.n >= 4 * ROWS;
    if (isPacked) pack(p, m, width);
    if (isSparse) sparse(p, out, outRow);
    else if (isPacked) full(p, p.tile, TILE, out, outRow);
    else full(p, p.d.at + m, p.d.rows, out, outRow);
    if (isDirect) continue;
    if (p.c.columns == 1)
      for (int64_t n = 0; n < p.n; n++) std::memcpy(p.c.at + n * p.c.rows + m, out + n * TILE, width * sizeof(float));
    else transpose(out, TILE, p.n, width, p.c.at + m * p.c.columns, p.c.columns);
  }
}

int64_t list(const Matrix &s, int64_t n, int64_t k, const Lists &to) {
  int64_t sum = 0;
  if (s.columns == 1) {
    for (int64_t i = 0; i < n; i++) {
      const float *row = s.at + i * s.rows;
      Entry *entries = to.entries + i * k;
      uint32_t count = 0;
      // There is room for an entry of the last element even if no element is zero. The entry of a zero is overwritten
      // by the next one.
      for (int64_t j = 0; j < k; j++) {
        const float value = row[j];
        entries[count] = {static_cast<uint32_t>(j * TILE * sizeof(float)), value};
        count += value != 0;
      }
      to.counts[i] = count;
      sum += count;
    }
    return sum;
  }
  std::memset(to.counts, 0, n * sizeof(uint32_t));
  for (int64_t j = 0; j < k; j++) {
    const float *column = s.at + j * s.columns;
    for (int64_t i = 0; i < n; i++) {
      const float value = column[i * s.rows];
      to.entries[i * k + to.counts[i]] = {static_cast<uint32_t>(j * TILE * sizeof(float)), value};
      to.counts[i] += value != 0;
    }
  }
  for (int64_t i = 0; i < n; i++) sum += to.counts[i];
  return sum;
}

}  // namespace

#define STRING_(text) #text
#define STRING(text) STRING_(text)
extern const Variant VARIANT = {STRING(VARIANT), product, list, JOIN(nearer_, VARIANT)};

}  // namespace native
