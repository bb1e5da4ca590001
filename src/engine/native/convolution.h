// A convolution as the binding and the variants share it: its sizes, and where its arrays lie.
#pragma once
#include "products.h"

namespace native {

/** Filters are padded to a multiple of it where weights are packed, whatever the width of a vector; and so are lines of a window. */
constexpr int64_t GROUP = 16;
/** Floats of a window that is narrow: with more, lists of what is there are faster. */
constexpr int64_t NARROW = 64;
constexpr int64_t MOST_POOL = 8;
/** A multiple of the pixels of a block of sums: of 6. */
constexpr int64_t PIXELS_AT_ONCE = 48;
constexpr int64_t grouped(int64_t floats) { return (floats + GROUP - 1) / GROUP * GROUP; }

/**
 * A convolution without stride or padding (its input has a border where that is wanted), then a bias, relu and the largest of each window of a
 * pooling, where they are asked for. Arrays are [image, line, pixel, channel]; what lies between two images or lines is said in floats.
 */
struct Convolution {
  /** Of the input. A pixel has room for `pixel` floats, of which `channels` count. */
  int64_t height, width, channels, pixel, image;
  int64_t kernelHeight, kernelWidth, filters;
  /** Height and width of a window of the pooling, which may leave a rest; 1: none. */
  int64_t pool;
  bool hasRelu;
  /** Of the output, whose pixels are `filters` apart. */
  int64_t outputLine, outputImage;

  int64_t line() const { return width * pixel; }
  int64_t sumHeight() const { return height - kernelHeight + 1; }
  int64_t sumWidth() const { return width - kernelWidth + 1; }
  int64_t outputHeight() const { return sumHeight() / pool; }
  int64_t outputWidth() const { return sumWidth() / pool; }
  /** Lines of sums that are computed at a time: whole windows of the pooling, and pixels enough for the loops. */
  int64_t linesAtOnce() const { return ((PIXELS_AT_ONCE + sumWidth() - 1) / sumWidth() + pool - 1) / pool * pool; }
  /** Floats of a line of a window that lie one behind the other: of kernelWidth pixels. */
  int64_t run() const { return (kernelWidth - 1) * pixel + channels; }
  int64_t packedRun() const { return grouped(run()); }
  /** Floats of a filter, or of its gradient, with its lines padded. */
  int64_t filter() const { return kernelHeight * packedRun(); }
  int64_t weights() const { return kernelHeight * run() * filters; }
  /** Of an image. */
  int64_t outputs() const { return outputHeight() * outputWidth() * filters; }
  /** Floats of the sums that are computed at a time, of which a part holds the gradients of an output later. */
  int64_t sums() const { return linesAtOnce() * sumWidth() * grouped(filters); }
  /** Floats of the gradient of the filters as it is gathered. */
  int64_t gathered() const { return isNarrow() ? packed() : filters * filter(); }
  /** Floats of all packed weights: [kernelHeight, run, grouped(filters)]. */
  int64_t packed() const { return kernelHeight * run() * grouped(filters); }
  /** Whether windows have so few floats, and gradients so few zeros, that the products of all are faster than lists. */
  bool isNarrow() const { return pool == 1 && kernelHeight * run() <= NARROW; }
  /** Bytes of the lists of so many images: entries of each filter and of each pixel of one image, or a gradient with its zeros; and counts. */
  int64_t listBytes(int64_t images) const {
    const int64_t pixels = sumHeight() * sumWidth(), entries = (images * outputHeight() * outputWidth() + pixels) * filters;
    const int64_t expanded = pixels * (grouped(filters) / 2 + 1);
    return (entries > expanded ? entries : expanded) * static_cast<int64_t>(sizeof(Entry)) + (pixels + filters) * 4;
  }
};

struct ConvolutionArrays {
  int64_t images;
  const float *input;
  /** Packed for the forward pass, and as filters. */
  const float *packed;
  const float *filters;
  const float *bias;
  float *output;
  /** [image, line, pixel, filter] of the output: which element of its window is the largest. */
  int32_t *largest;
  /** Of the output, laid out as it. */
  const float *outputGradient;
  /** Of the input, laid out as it, written anew; nullptr where nobody asks for it. */
  float *inputGradient;
  /** Added to: [filters, kernelHeight, packedRun], and [filters]. */
  float *filterGradient;
  float *biasGradient;
  /** Scratch: linesAtOnce * sumWidth * grouped(filters) floats; and listBytes(images). */
  float *sums;
  Entry *lists;
};

/** The same functions, compiled for one kind of processor. */
struct ConvolutionVariant {
  /** filters: nullptr where no gradient is asked for. */
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
