// The description of a product, and of the lists of non-zeros, which the binding and the variants of the products
// share.
#pragma once
#include <cstddef>
#include <cstdint>

namespace native {

/** The outputs that are computed at a time, and the width of a packed tile, whatever the width of a vector. */
constexpr int64_t TILE = 32;

/** An element that is not zero: where its row of a packed tile begins, in bytes, and its value. */
struct Entry {
  uint32_t at;
  float value;
};

/** The non-zeros of a matrix [n, k], in ascending order of k. Row i has counts[i] of them, from entries[i * k] on. */
struct Lists {
  uint32_t *counts;
  Entry *entries;
};

/** A matrix whose element (i, j) is at[i * rows + j * columns]. */
struct Matrix {
  float *at;
  int64_t rows;
  int64_t columns;
};

/**
 * c[n, m] = sum over k, in ascending order, of s[n, k] * d[k, m]. Each output is one chain of multiplications and
 * additions that begins with 0; each operation is rounded. One of the strides of d is 1, and one of c.
 */
struct Product {
  int64_t n, k, m;
  Matrix s, d, c;
  /** The lists of s; without entries if they are not used. */
  Lists lists;
  /** Scratch, aligned to 64 bytes: TILE floats for each k (tile) and for each n (out). */
  float *tile;
  float *out;
};

/**
 * Cosines [height, width] of the rows from `own` on with the rows from `from` on, with `row` floats from line to line.
 */
struct Tile {
  const float *cosines;
  int64_t row, height, width, own, from;
};

/** [height, count]: the nearest rows so far, the nearest first. */
struct Nearest {
  int64_t count;
  float *cosines;
  uint32_t *rows;
};

/** The functions, compiled for one kind of processor. */
struct Variant {
  const char *name;
  void (*product)(const Product &);
  /** Writes the lists of s [n, k]. Returns how many elements are not zero. */
  int64_t (*list)(const Matrix &s, int64_t n, int64_t k, const Lists &to);
  /**
   * Adds the rows of a tile that are nearer than those found so far. The tile's columns come after those of earlier
   * tiles. No row is its own neighbour.
   */
  void (*nearer)(const Tile &, const Nearest &);
};

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#if defined(VARIANT)
void JOIN(nearer_, VARIANT)(const Tile &, const Nearest &);
#endif

#if defined(__x86_64__)
extern const Variant v4, v3, v1;
#else
extern const Variant generic;
#endif

}  // namespace native
