// Products of dense matrices with matrices of which many elements are zero. Compiled once for each kind of processor, with another VARIANT and
// VECTOR (bytes of a vector): the bits are the same, since no sum is split and nothing is contracted (-ffp-contract=off).
#include <cstring>

#include "products.h"

namespace dense {
namespace {

constexpr int64_t LANES = VECTOR / 4;
typedef float Vector __attribute__((vector_size(VECTOR)));
typedef float Unaligned __attribute__((vector_size(VECTOR), aligned(4), may_alias));
typedef float Four __attribute__((vector_size(16)));
typedef float UnalignedFour __attribute__((vector_size(16), aligned(4), may_alias));

/** The dense loop's block of outputs: as many as registers hold, in vectors of at most 32 bytes, which Zen 4 multiplies and adds faster. */
constexpr int64_t BLOCK_VECTOR = VECTOR == 64 ? 32 : VECTOR;
typedef float BlockVector __attribute__((vector_size(BLOCK_VECTOR)));
typedef float UnalignedBlock __attribute__((vector_size(BLOCK_VECTOR), aligned(4), may_alias));
constexpr int64_t BLOCK_LANES = BLOCK_VECTOR / 4;
constexpr int64_t ROWS = 6;
constexpr int64_t VECTORS = VECTOR == 64 ? 4 : 2;
constexpr int64_t WIDTH = VECTORS * BLOCK_LANES;
/** Rows of a tile that stay in the first cache. */
constexpr int64_t DEPTH = 128;

inline Vector load(const float *from) { return *reinterpret_cast<const Unaligned *>(from); }
inline void store(float *to, Vector value) { *reinterpret_cast<Unaligned *>(to) = value; }
inline BlockVector loadBlock(const float *from) { return *reinterpret_cast<const UnalignedBlock *>(from); }
inline void storeBlock(float *to, BlockVector value) { *reinterpret_cast<UnalignedBlock *>(to) = value; }
inline Four loadFour(const float *from) { return *reinterpret_cast<const UnalignedFour *>(from); }
inline void storeFour(float *to, Four value) { *reinterpret_cast<UnalignedFour *>(to) = value; }
inline Vector splat(float value) { return value - Vector{}; }

#if defined(__clang__) || __GNUC__ >= 12
#define SHUFFLE(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#else
typedef int Indices __attribute__((vector_size(16)));
#define SHUFFLE(a, b, i, j, k, l) __builtin_shuffle(a, b, (Indices){i, j, k, l})
#endif

/** to[j * toRow + i] = from[i * fromRow + j] for i, j < 4. */
inline void transposeFour(const float *from, int64_t fromRow, float *to, int64_t toRow) {
  const Four a = loadFour(from), b = loadFour(from + fromRow), c = loadFour(from + 2 * fromRow), d = loadFour(from + 3 * fromRow);
  const Four ab = SHUFFLE(a, b, 0, 4, 1, 5), cd = SHUFFLE(c, d, 0, 4, 1, 5);
  const Four abEnd = SHUFFLE(a, b, 2, 6, 3, 7), cdEnd = SHUFFLE(c, d, 2, 6, 3, 7);
  storeFour(to, SHUFFLE(ab, cd, 0, 1, 4, 5));
  storeFour(to + toRow, SHUFFLE(ab, cd, 2, 3, 6, 7));
  storeFour(to + 2 * toRow, SHUFFLE(abEnd, cdEnd, 0, 1, 4, 5));
  storeFour(to + 3 * toRow, SHUFFLE(abEnd, cdEnd, 2, 3, 6, 7));
}

/** to[columns, rows] = from[rows, columns] transposed. */
void transpose(const float *from, int64_t fromRow, int64_t rows, int64_t columns, float *to, int64_t toRow) {
  const int64_t wholeRows = rows & ~3, wholeColumns = columns & ~3;
  for (int64_t j = 0; j < wholeColumns; j += 4)
    for (int64_t i = 0; i < wholeRows; i += 4) transposeFour(from + i * fromRow + j, fromRow, to + j * toRow + i, toRow);
  for (int64_t j = 0; j < columns; j++)
    for (int64_t i = j < wholeColumns ? wholeRows : 0; i < rows; i++) to[j * toRow + i] = from[i * fromRow + j];
}

/** tile[k, 0..TILE) = d[k, m..m + width), and zeros behind. */
void pack(const Product &p, int64_t m, int64_t width) {
  if (width < TILE) std::memset(p.tile, 0, p.k * TILE * sizeof(float));
  const float *from = p.d.at + m * p.d.columns;
  if (p.d.rows == 1 && p.d.columns != 1) return transpose(from, p.d.columns, width, p.k, p.tile, TILE);
  for (int64_t k = 0; k < p.k; k++) std::memcpy(p.tile + k * TILE, from + k * p.d.rows, width * sizeof(float));
}

/** out[n, 0..TILE) from the lists. */
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

/** out[n, 0..TILE) from all elements. d: [k, TILE], whose rows are dRow apart. */
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
    // Few rows do not repay a copy.
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
      // The last element has room even where all are there: what is zero is written over by the next.
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
extern const Variant VARIANT = {STRING(VARIANT), product, list};

}  // namespace dense
