// A convolution as the binding and the variants share it: its sizes, and the addresses of its arrays.
#pragma once
#include "products.h"

namespace native {

/**
 * Packed weights pad filters to a multiple of this, whatever the width of a vector; lines of a window are padded in the
 * same way.
 */
constexpr int64_t GROUP = 16;
/**
 * A window of up to this many floats is narrow. For larger ones, lists of the elements that are not zero are faster.
 */
constexpr int64_t NARROW = 64;
constexpr int64_t MOST_POOL = 8;
/** The pixels of sums that are computed at a time: a multiple of a block's 6. */
constexpr int64_t PIXELS_AT_ONCE = 48;
constexpr int64_t grouped(int64_t floats) { return (floats + GROUP - 1) / GROUP * GROUP; }

/**
 * A convolution without stride or padding, whose input may have a border; then a bias, and, if asked for, relu and the
 * maximum of each pooling window. Arrays are [image, line, pixel, channel]. Strides between images and lines are in
 * floats.
 */
struct Convolution {
  /** The sizes of the input. A pixel has room for `pixel` floats, of which `channels` count. */
  int64_t height, width, channels, pixel, image;
  int64_t kernelHeight, kernelWidth, filters;
  /** The height and width of a pooling window, which may leave a rest. 1: no pooling. */
  int64_t pool;
  bool hasRelu;
  /** The strides of the output, whose pixels are `filters` apart. */
  int64_t outputLine, outputImage;

  int64_t line() const { return width * pixel; }
  int64_t sumHeight() const { return height - kernelHeight + 1; }
  int64_t sumWidth() const { return width - kernelWidth + 1; }
  int64_t outputHeight() const { return sumHeight() / pool; }
  int64_t outputWidth() const { return sumWidth() / pool; }
  /** The lines of sums that are computed at a time: whole pooling windows, with enough pixels for the loops. */
  int64_t linesAtOnce() const { return ((PIXELS_AT_ONCE + sumWidth() - 1) / sumWidth() + pool - 1) / pool * pool; }
  /** The floats of a window's line, of kernelWidth pixels, which are contiguous. */
  int64_t run() const { return (kernelWidth - 1) * pixel + channels; }
  int64_t packedRun() const { return grouped(run()); }
  /** The floats of a filter, or of its gradient, with padded lines. */
  int64_t filter() const { return kernelHeight * packedRun(); }
  int64_t weights() const { return kernelHeight * run() * filters; }
  /** The floats of an image's output. */
  int64_t outputs() const { return outputHeight() * outputWidth() * filters; }
  /**
   * The floats of the sums that are computed at a time. The backward pass holds the gradients of one output in a part
   * of them.
   */
  int64_t sums() const { return linesAtOnce() * sumWidth() * grouped(filters); }
  /** The floats of the filters' gradient in the order in which it is gathered. */
  int64_t gathered() const { return isNarrow() ? packed() : filters * filter(); }
  /** The floats of all packed weights: [kernelHeight, run, grouped(filters)]. */
  int64_t packed() const { return kernelHeight * run() * grouped(filters); }
  /**
   * Returns whether windows have so few floats, and gradients so few zeros, that multiplying everything is faster than
   * lists.
   */
  bool isNarrow() const { return pool == 1 && kernelHeight * run() <= NARROW; }
  /**
   * Returns the bytes of the lists for this many images: the entries of each filter and of each pixel of one image, or
   * a gradient with its zeros; and the counts.
   */
  int64_t listBytes(int64_t images) const {
    const int64_t pixels = sumHeight() * sumWidth(), entries = (images * outputHeight() * outputWidth() + pixels) * filters;
    const int64_t expanded = pixels * (grouped(filters) / 2 + 1);
    return (entries > expanded ? entries : expanded) * static_cast<int64_t>(sizeof(Entry)) + (pixels + filters) * 4;
  }
};

struct ConvolutionArrays {
  int64_t images;
  const float *input;
  /** The weights packed for the forward pass, and as filters. */
  const float *packed;
  const float *filters;
  const float *bias;
  float *output;
  /** [image, line, pixel, filter] of the output: the index of the largest element of its pooling window. */
  int32_t *largest;
  /** The gradient of the output, with the output's layout. */
  const float *outputGradient;
  /** The gradient of the input, with the input's layout. It is overwritten; nullptr if it is not needed. */
  float *inputGradient;
  /**
   * The gradients of the filters, [filters, kernelHeight, packedRun], and of the bias, [filters]. They are added to.
   */
  float *filterGradient;
  float *biasGradient;
  /** Scratch: linesAtOnce * sumWidth * grouped(filters) floats in `sums`, and listBytes(images) in `lists`. */
  float *sums;
  Entry *lists;
};

/** The functions, compiled for one kind of processor. */
struct ConvolutionVariant {
  /** filters: nullptr if no gradient is needed. */
  void (*pack)(const Convolution &, const float *weights, float *packed, float *filters);
  void (*unpack)(const Convolution &, const float *filters, float *weights);
  void (*unfold)(const Convolution &, int64_t images, const float *input, float *to);
  void (*forward)(const Convolution &, const ConvolutionArrays &);
  void (*backward)(const Convolution &, const ConvolutionArrays &);
};

#if defined(VARIANT)
void JOIN(backward_, VARIANT)(const Convolution &, const ConvolutionArrays &);
#endif

#if defined(__x86_64__)
extern const ConvolutionVariant convolution_v4, convolution_v3, convolution_v1;
#else
extern const ConvolutionVariant convolution_generic;
#endif

}  // namespace native
