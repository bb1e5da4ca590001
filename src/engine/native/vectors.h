// Vectors of the processor for which a file is compiled (VECTOR: bytes of one), and the functions that load, store and
// transpose them.
#pragma once
#include <cstdint>

namespace native {
namespace {

constexpr int64_t LANES = VECTOR / 4;
typedef float Vector __attribute__((vector_size(VECTOR)));
typedef float Unaligned __attribute__((vector_size(VECTOR), aligned(4), may_alias));
typedef int32_t Integers __attribute__((vector_size(VECTOR)));
typedef float Four __attribute__((vector_size(16)));
typedef float UnalignedFour __attribute__((vector_size(16), aligned(4), may_alias));

/**
 * The bytes of a vector in the dense loops, whose blocks have as many outputs as the registers hold. It is at most 32,
 * because Zen 4 multiplies and adds such vectors faster.
 */
constexpr int64_t BLOCK_VECTOR = VECTOR == 64 ? 32 : VECTOR;
typedef float BlockVector __attribute__((vector_size(BLOCK_VECTOR)));
typedef float UnalignedBlock __attribute__((vector_size(BLOCK_VECTOR), aligned(4), may_alias));
constexpr int64_t BLOCK_LANES = BLOCK_VECTOR / 4;
constexpr int64_t ROWS = 6;
constexpr int64_t VECTORS = VECTOR == 64 ? 4 : 2;
constexpr int64_t WIDTH = VECTORS * BLOCK_LANES;

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
inline void transpose(const float *from, int64_t fromRow, int64_t rows, int64_t columns, float *to, int64_t toRow) {
  const int64_t wholeRows = rows & ~3, wholeColumns = columns & ~3;
  for (int64_t j = 0; j < wholeColumns; j += 4)
    for (int64_t i = 0; i < wholeRows; i += 4) transposeFour(from + i * fromRow + j, fromRow, to + j * toRow + i, toRow);
  for (int64_t j = 0; j < columns; j++)
    for (int64_t i = j < wholeColumns ? wholeRows : 0; i < rows; i++) to[j * toRow + i] = from[i * fromRow + j];
}

}  // namespace
}  // namespace native
