// The functions of the convolutions that JavaScript calls. Their arrays are checked like those of the products
// (binding.cc).
#include "binding.h"

namespace native {
namespace {

/** The most pixels of a side of an image, and the most channels, so that no product of sizes overflows. */
constexpr int64_t SIDE = int64_t{1} << 14;
constexpr int64_t CHANNELS = int64_t{1} << 24;

/**
 * A convolution, the memory that its arrays are in, and its functions. It may outlive the handle of open(), which is
 * garbage-collected separately.
 */
struct BoundConvolution : Memory {
  const ConvolutionVariant *functions;
  Convolution of;
};

void closeConvolution(napi_env, void *data, void *) { delete static_cast<BoundConvolution *>(data); }

/**
 * convolution(handle, height, width, channels, pixel, image, kernelHeight, kernelWidth, filters, pool, hasRelu,
 * outputLine, outputImage) returns a handle.
 */
napi_value convolution(napi_env env, napi_callback_info info) {
  int64_t a[12];
  State *state = arguments(env, info, a);
  if (state == nullptr) return fail(env, "convolution(handle, 12 numbers)");
  for (const int64_t number : a)
    if (number >= MOST) return fail(env, "convolution: a number is too large");
  const auto [height, width, channels, pixel, image, kernelHeight, kernelWidth, filters, pool, hasRelu, outputLine, outputImage] = a;
  const Convolution c = {height,  width, channels,     pixel,      image,      kernelHeight, kernelWidth,
                         filters, pool,  hasRelu != 0, outputLine, outputImage};
  const bool isPossible = channels > 0 && pixel >= channels && kernelHeight > 0 && kernelWidth > 0 && filters > 0 && pool > 0 &&
                          pool <= MOST_POOL && height <= SIDE && width <= SIDE && kernelHeight + pool <= height + 1 &&
                          kernelWidth + pool <= width + 1 && channels <= CHANNELS && filters <= CHANNELS && pixel <= CHANNELS &&
                          c.image >= height * c.line() && outputLine >= c.outputWidth() * filters &&
                          outputImage >= c.outputHeight() * outputLine;
  if (!isPossible || c.packed() >= MOST || c.filters * c.filter() >= MOST) return fail(env, "convolution: sizes that do not fit");
  napi_value result;
  napi_create_external(env, new BoundConvolution{*state, state->convolutions, c}, closeConvolution, nullptr, &result);
  return result;
}

/** Returns whether an array of `count` floats is in the memory, with room for a vector behind it. */
bool hasRoom(const BoundConvolution &bound, int64_t at, int64_t count) {
  return count < MOST && at % 4 == 0 && at + (count + GROUP) * 4 <= bound.size;
}

/** packConvolution(convolution, weights, packed, filters). filters: 0 for none. */
napi_value packConvolution(napi_env env, napi_callback_info info) {
  int64_t a[3];
  const BoundConvolution *bound = arguments<BoundConvolution>(env, info, a);
  if (bound == nullptr) return fail(env, "packConvolution(convolution, weights, packed, filters)");
  const Convolution &c = bound->of;
  if (!hasRoom(*bound, a[0], 0) || !holds(*bound, a[0], c.weights() * 4) || !hasRoom(*bound, a[1], c.packed()) ||
      !hasRoom(*bound, a[2], c.filters * c.filter()))
    return fail(env, "packConvolution: outside of the memory");
  float *filters = a[2] == 0 ? nullptr : floats(*bound, a[2]);
  bound->functions->pack(c, floats(*bound, a[0]), floats(*bound, a[1]), filters);
  return nullptr;
}

/** unpackConvolution(convolution, gathered, weights) */
napi_value unpackConvolution(napi_env env, napi_callback_info info) {
  int64_t a[2];
  const BoundConvolution *bound = arguments<BoundConvolution>(env, info, a);
  if (bound == nullptr) return fail(env, "unpackConvolution(convolution, gathered, weights)");
  if (!hasRoom(*bound, a[0], bound->of.gathered()) || !holds(*bound, a[1], bound->of.weights() * 4))
    return fail(env, "unpackConvolution: outside of the memory");
  bound->functions->unpack(bound->of, floats(*bound, a[0]), floats(*bound, a[1]));
  return nullptr;
}

/** unfold(convolution, images, input, to) */
napi_value unfold(napi_env env, napi_callback_info info) {
  int64_t a[3];
  const BoundConvolution *bound = arguments<BoundConvolution>(env, info, a);
  if (bound == nullptr) return fail(env, "unfold(convolution, images, input, to)");
  const Convolution &c = bound->of;
  const auto [images, input, to] = a;
  const int64_t room = c.sumHeight() * c.sumWidth() * grouped(c.kernelHeight * c.run());
  if (images >= MOST || !hasRoom(*bound, input, images * c.image) || !hasRoom(*bound, to, images * room))
    return fail(env, "unfold: outside of the memory");
  bound->functions->unfold(c, images, floats(*bound, input), floats(*bound, to));
  return nullptr;
}

/** convolve(convolution, images, input, packed, bias, output, largest, sums). largest: 0 if no gradient is needed. */
napi_value convolve(napi_env env, napi_callback_info info) {
  int64_t a[7];
  const BoundConvolution *bound = arguments<BoundConvolution>(env, info, a);
  if (bound == nullptr) return fail(env, "convolve(convolution, images, 6 addresses)");
  const auto [images, input, packed, bias, output, largest, sums] = a;
  const Convolution &c = bound->of;
  const bool isInside = images < MOST && hasRoom(*bound, input, images * c.image) && hasRoom(*bound, packed, c.packed()) &&
                        holds(*bound, bias, c.filters * 4) && hasRoom(*bound, output, images * c.outputImage) &&
                        hasRoom(*bound, largest, images * c.outputs()) && hasRoom(*bound, sums, c.sums());
  if (!isInside) return fail(env, "convolve: outside of the memory");
  ConvolutionArrays arrays = {};
  arrays.images = images, arrays.input = floats(*bound, input), arrays.packed = floats(*bound, packed), arrays.bias = floats(*bound, bias);
  arrays.output = floats(*bound, output), arrays.sums = floats(*bound, sums);
  arrays.largest = largest == 0 ? nullptr : reinterpret_cast<int32_t *>(bound->base + largest);
  bound->functions->forward(c, arrays);
  return nullptr;
}

/**
 * convolutionGradients(convolution, images, input, filters, output, largest, outputGradient, inputGradient,
 * filterGradient, biasGradient, sums, lists). inputGradient: 0 if it is not needed.
 */
napi_value convolutionGradients(napi_env env, napi_callback_info info) {
  int64_t a[11];
  const BoundConvolution *bound = arguments<BoundConvolution>(env, info, a);
  if (bound == nullptr) return fail(env, "convolutionGradients(convolution, images, 10 addresses)");
  const auto [images, input, filters, output, largest, outputGradient, inputGradient, filterGradient, biasGradient, sums, lists] = a;
  const Convolution &c = bound->of;
  const bool isInside = images < MOST && hasRoom(*bound, input, images * c.image) && hasRoom(*bound, filters, c.filters * c.filter()) &&
                        hasRoom(*bound, output, images * c.outputImage) && hasRoom(*bound, outputGradient, images * c.outputImage) &&
                        hasRoom(*bound, largest, images * c.outputs()) && hasRoom(*bound, inputGradient, images * c.image) &&
                        hasRoom(*bound, filterGradient, c.gathered()) && hasRoom(*bound, biasGradient, grouped(c.filters)) &&
                        hasRoom(*bound, sums, c.sums()) && hasRoom(*bound, lists, c.listBytes(images) / 4) && lists % 64 == 0;
  if (!isInside) return fail(env, "convolutionGradients: outside of the memory");
  ConvolutionArrays arrays = {};
  arrays.images = images, arrays.input = floats(*bound, input), arrays.filters = floats(*bound, filters);
  arrays.output = floats(*bound, output), arrays.outputGradient = floats(*bound, outputGradient);
  arrays.inputGradient = inputGradient == 0 ? nullptr : floats(*bound, inputGradient);
  arrays.filterGradient = floats(*bound, filterGradient), arrays.biasGradient = floats(*bound, biasGradient);
  arrays.sums = floats(*bound, sums), arrays.lists = reinterpret_cast<Entry *>(bound->base + lists);
  arrays.largest = reinterpret_cast<int32_t *>(bound->base + largest);
  const int32_t windows = c.pool * c.pool;
  bool isOfThis = true;
  for (int64_t i = 0; c.pool > 1 && i < images * c.outputs(); i++) isOfThis &= static_cast<uint32_t>(arrays.largest[i]) < static_cast<uint32_t>(windows);
  if (!isOfThis) return fail(env, "convolutionGradients: of another pass");
  bound->functions->backward(c, arrays);
  return nullptr;
}

#define FUNCTION(name) {#name, nullptr, name, nullptr, nullptr, nullptr, napi_enumerable, nullptr}

}  // namespace

extern const napi_property_descriptor CONVOLUTION_FUNCTIONS[] = {
    FUNCTION(convolution), FUNCTION(packConvolution), FUNCTION(unpackConvolution),
    FUNCTION(unfold),      FUNCTION(convolve),        FUNCTION(convolutionGradients),
};
extern const size_t CONVOLUTION_FUNCTION_COUNT = sizeof CONVOLUTION_FUNCTIONS / sizeof *CONVOLUTION_FUNCTIONS;

}  // namespace native
