// The functions of the products that JavaScript calls. Addresses are byte offsets in one memory, which open() is given,
// and are checked against its size.
#include <cstdlib>
#include <cstring>
#include <initializer_list>

#include "binding.h"

namespace {

using namespace native;

/** The functions that were compiled for one kind of processor. */
struct Compiled {
  const Variant *products;
  const ConvolutionVariant *convolutions;
};

#if defined(__x86_64__)
bool hasV3() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
}
bool hasV4() {
  return hasV3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
/** Finds the variants that this processor can run, fastest first. */
int variants(Compiled found[3]) {
  __builtin_cpu_init();
  int count = 0;
  if (hasV4()) found[count++] = {&v4, &convolution_v4};
  if (hasV3()) found[count++] = {&v3, &convolution_v3};
  found[count++] = {&v1, &convolution_v1};
  return count;
}
#else
int variants(Compiled found[3]) {
  found[0] = {&generic, &convolution_generic};
  return 1;
}
#endif

napi_value names(napi_env env, napi_callback_info) {
  Compiled found[3];
  const int count = variants(found);
  napi_value result, name;
  napi_create_array(env, &result);
  for (int i = 0; i < count; i++) {
    napi_create_string_utf8(env, found[i].products->name, NAPI_AUTO_LENGTH, &name);
    napi_set_element(env, result, i, name);
  }
  return result;
}

void close(napi_env, void *data, void *) {
  State *state = static_cast<State *>(data);
  std::free(state->scratch);
  delete state;
}

/** open(memory: Uint8Array, variant: string) returns a handle. The caller keeps the memory alive. */
napi_value open(napi_env env, napi_callback_info info) {
  napi_value args[2], result;
  size_t count = 2, length = 0;
  void *data = nullptr;
  char name[16];
  napi_get_cb_info(env, info, &count, args, nullptr, nullptr);
  if (count != 2 || napi_get_typedarray_info(env, args[0], nullptr, &length, &data, nullptr, nullptr) != napi_ok ||
      napi_get_value_string_utf8(env, args[1], name, sizeof name, nullptr) != napi_ok)
    return fail(env, "open(memory, variant)");
  Compiled found[3];
  for (int i = 0, all = variants(found); i < all; i++) {
    if (std::strcmp(found[i].products->name, name) != 0) continue;
    State *state = new State{{static_cast<char *>(data), static_cast<int64_t>(length)}, found[i].products, found[i].convolutions, nullptr, 0};
    napi_create_external(env, state, close, nullptr, &result);
    return result;
  }
  return fail(env, "this processor has no such variant");
}

bool holds(const State &state, int64_t at, int64_t rows, int64_t byRow, int64_t columns, int64_t byColumn) {
  if (rows == 0 || columns == 0) return true;
  return holds(state, at, ((rows - 1) * byRow + (columns - 1) * byColumn + 1) * 4);
}

/** Returns the lists of n rows of k at an address: the counts, then, aligned to 64 bytes, the entries. */
Lists listsAt(const State &state, int64_t at, int64_t n) {
  uint32_t *counts = reinterpret_cast<uint32_t *>(state.base + at);
  return {counts, reinterpret_cast<Entry *>(state.base + at + (n * 4 + 63) / 64 * 64)};
}

bool holdsLists(const State &state, int64_t at, int64_t n, int64_t k) {
  return at % 64 == 0 && holds(state, at, (n * 4 + 63) / 64 * 64 + n * k * static_cast<int64_t>(sizeof(Entry)));
}

bool grow(State &state, int64_t needed) {
  if (needed <= state.floats) return true;
  std::free(state.scratch);
  state.floats = (needed + 1023) / 1024 * 1024;
  state.scratch = static_cast<float *>(std::aligned_alloc(64, state.floats * sizeof(float)));
  if (state.scratch == nullptr) state.floats = 0;
  return state.scratch != nullptr;
}

/**
 * product(handle, n, k, m, s, sRows, sColumns, d, dRows, dColumns, c, cRows, cColumns, lists). lists: 0 for a dense s.
 */
napi_value multiply(napi_env env, napi_callback_info info) {
  int64_t a[13];
  State *state = arguments(env, info, a);
  if (state == nullptr) return fail(env, "product(handle, n, k, m, s, 2 strides, d, 2 strides, c, 2 strides, lists)");
  const auto [n, k, m, s, sRows, sColumns, d, dRows, dColumns, c, cRows, cColumns, lists] = a;
  for (const int64_t number : {n, k, m, sRows, sColumns, dRows, dColumns, cRows, cColumns})
    if (number >= MOST) return fail(env, "product: a number is too large");
  if ((dRows != 1 && dColumns != 1) || (cRows != 1 && cColumns != 1)) return fail(env, "product: strides that it does not know");
  const bool isInside = holds(*state, d, k, dRows, m, dColumns) && holds(*state, c, n, cRows, m, cColumns) &&
                        (lists == 0 ? holds(*state, s, n, sRows, k, sColumns) : holdsLists(*state, lists, n, k));
  if (!isInside) return fail(env, "product: outside of the memory");
  if (!grow(*state, (n + k) * TILE)) return fail(env, "product: no memory for scratch");
  const Lists of = lists == 0 ? Lists{nullptr, nullptr} : listsAt(*state, lists, n);
  if (lists != 0)
    for (int64_t i = 0; i < n; i++)
      if (of.counts[i] > k) return fail(env, "product: lists of another matrix");
  state->variant->product({n, k, m, {floats(*state, s), sRows, sColumns}, {floats(*state, d), dRows, dColumns},
                           {floats(*state, c), cRows, cColumns}, of, state->scratch, state->scratch + k * TILE});
  return nullptr;
}

/** list(handle, s, n, k, sRows, sColumns, to) returns how many elements are not zero. */
napi_value list(napi_env env, napi_callback_info info) {
  int64_t a[6];
  State *state = arguments(env, info, a);
  if (state == nullptr) return fail(env, "list(handle, s, n, k, 2 strides, to)");
  const auto [s, n, k, sRows, sColumns, to] = a;
  for (const int64_t number : {n, k, sRows, sColumns})
    if (number >= MOST) return fail(env, "list: a number is too large");
  if (k * TILE * 4 > UINT32_MAX || !holds(*state, s, n, sRows, k, sColumns) || !holdsLists(*state, to, n, k))
    return fail(env, "list: outside of the memory");
  napi_value result;
  napi_create_int64(env, state->variant->list({floats(*state, s), sRows, sColumns}, n, k, listsAt(*state, to, n)), &result);
  return result;
}

/**
 * nearer(handle, cosines, row, height, width, own, from, count, first, foundCosines: Float32Array, foundRows:
 * Uint32Array). first: the line of the first row in foundCosines and foundRows.
 */
napi_value nearer(napi_env env, napi_callback_info info) {
  napi_value args[11];
  size_t count = 11, cosinesLength = 0, rowsLength = 0;
  void *data = nullptr, *cosines = nullptr, *rows = nullptr;
  napi_typedarray_type cosinesType, rowsType;
  int64_t a[8];
  napi_get_cb_info(env, info, &count, args, nullptr, nullptr);
  bool isCalledSo = count == 11 && napi_get_value_external(env, args[0], &data) == napi_ok &&
                    napi_get_typedarray_info(env, args[9], &cosinesType, &cosinesLength, &cosines, nullptr, nullptr) == napi_ok &&
                    napi_get_typedarray_info(env, args[10], &rowsType, &rowsLength, &rows, nullptr, nullptr) == napi_ok &&
                    cosinesType == napi_float32_array && rowsType == napi_uint32_array;
  for (size_t i = 0; i < 8 && isCalledSo; i++)
    isCalledSo = napi_get_value_int64(env, args[i + 1], &a[i]) == napi_ok && a[i] >= 0 && a[i] < MOST;
  if (!isCalledSo) return fail(env, "nearer(handle, 8 numbers, foundCosines, foundRows)");
  const State &state = *static_cast<State *>(data);
  const auto [at, row, height, width, own, from, nearest, first] = a;
  const int64_t room = static_cast<int64_t>(cosinesLength < rowsLength ? cosinesLength : rowsLength);
  if (nearest == 0 || !holds(state, at, height, row, width, 1) || (first + height) * nearest > room) return fail(env, "nearer: outside of the memory");
  state.variant->nearer({floats(state, at), row, height, width, own, from},
                        {nearest, static_cast<float *>(cosines) + first * nearest, static_cast<uint32_t *>(rows) + first * nearest});
  return nullptr;
}

}  // namespace

NAPI_MODULE_INIT() {
  const napi_property_descriptor properties[] = {
      {"names", nullptr, names, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"open", nullptr, open, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"product", nullptr, multiply, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"nearer", nullptr, nearer, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"list", nullptr, list, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
  };
  napi_define_properties(env, exports, sizeof properties / sizeof *properties, properties);
  napi_define_properties(env, exports, CONVOLUTION_FUNCTION_COUNT, CONVOLUTION_FUNCTIONS);
  return exports;
}
