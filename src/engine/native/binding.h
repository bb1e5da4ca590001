// The common part of the functions that JavaScript calls: the state of a thread, and the checks of arguments.
#pragma once
#include <node_api.h>

#include "convolution.h"
#include "products.h"

namespace native {

/** The memory that addresses are offsets in. */
struct Memory {
  char *base;
  int64_t size;
};

/** The state of one thread: the memory, the functions compiled for the processor, and scratch. */
struct State : Memory {
  const Variant *variant;
  const ConvolutionVariant *convolutions;
  float *scratch;
  int64_t floats;
};

/** Numbers and counts of elements are below this limit, so that no product of two overflows. */
constexpr int64_t MOST = int64_t{1} << 31;

inline napi_value fail(napi_env env, const char *message) {
  napi_throw_range_error(env, nullptr, message);
  return nullptr;
}

/** Reads the handle and the numbers of a call. Returns nullptr if the arguments are of another number or kind. */
template <typename Handle = State, size_t COUNT>
Handle *arguments(napi_env env, napi_callback_info info, int64_t (&numbers)[COUNT]) {
  napi_value args[COUNT + 1];
  size_t count = COUNT + 1;
  void *data = nullptr;
  napi_get_cb_info(env, info, &count, args, nullptr, nullptr);
  if (count != COUNT + 1 || napi_get_value_external(env, args[0], &data) != napi_ok) return nullptr;
  for (size_t i = 0; i < COUNT; i++)
    if (napi_get_value_int64(env, args[i + 1], &numbers[i]) != napi_ok || numbers[i] < 0) return nullptr;
  return static_cast<Handle *>(data);
}

/**
 * Returns whether `bytes` from `at` on are in the memory, aligned to floats. Each is below 2^32, so that nothing
 * overflows.
 */
inline bool holds(const Memory &memory, int64_t at, int64_t bytes) { return at % 4 == 0 && at + bytes <= memory.size; }

inline float *floats(const Memory &memory, int64_t at) { return reinterpret_cast<float *>(memory.base + at); }

extern const napi_property_descriptor CONVOLUTION_FUNCTIONS[];
extern const size_t CONVOLUTION_FUNCTION_COUNT;

}  // namespace native
