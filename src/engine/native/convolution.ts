// Convolutions with their bias, relu and pooling by the library of products, and the sizes of their arrays, which
// convolution.h has as well.

/**
 * A convolution without stride or padding, whose input may have a border. Arrays are [image, line, pixel, channel].
 * image, pixel, outputLine and outputImage are strides in floats; pixels of the output are `filters` apart.
 */
export interface ConvolutionShape {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly pixel: number;
  readonly image: number;
  readonly kernelHeight: number;
  readonly kernelWidth: number;
  readonly filters: number;
  /** The side of a pooling window, at most MOST_POOL, which may leave a rest. 1: no pooling. */
  readonly pool: number;
  readonly relu: boolean;
  readonly outputLine: number;
  readonly outputImage: number;
}

export const MOST_POOL = 8;
const GROUP = 16;
const NARROW = 64;
const PIXELS_AT_ONCE = 48;
const ENTRY_BYTES = 8;

export const grouped = (floats: number): number => Math.ceil(floats / GROUP) * GROUP;

/** The floats that the loops may read and write behind each array, because they use whole vectors. */
export const BEHIND = GROUP;

export const sumHeight = ({ height, kernelHeight }: ConvolutionShape): number => height - kernelHeight + 1;
export const sumWidth = ({ width, kernelWidth }: ConvolutionShape): number => width - kernelWidth + 1;
export const outputHeight = (of: ConvolutionShape): number => Math.floor(sumHeight(of) / of.pool);
export const outputWidth = (of: ConvolutionShape): number => Math.floor(sumWidth(of) / of.pool);

/** The floats of each array of a convolution. */
export interface ConvolutionSizes {
  /** The weights for the forward pass (`packed`), and as filters for the gradient at the input. */
  readonly packed: number;
  readonly filters: number;
  /** The gradients of the filters, in the order in which they are gathered, and of the bias. */
  readonly filterGradient: number;
  readonly biasGradient: number;
  /** Scratch. `lists` is for this many images at a time. */
  readonly sums: number;
  readonly lists: number;
  /** The index of the largest element of each pooling window, for this many images. */
  readonly largest: number;
  /** An unfolded image: for each pixel of the sums the floats of its window, padded to a whole group. */
  readonly unfolded: number;
}

export function sizesOf(of: ConvolutionShape, images: number): ConvolutionSizes {
  const { channels, pixel, kernelHeight, kernelWidth, filters, pool } = of;
  const run = (kernelWidth - 1) * pixel + channels;
  const [packed, filter] = [kernelHeight * run * grouped(filters), kernelHeight * grouped(run)];
  const [pixels, outputs] = [sumHeight(of) * sumWidth(of), outputHeight(of) * outputWidth(of)];
  const isNarrow = pool === 1 && kernelHeight * run <= NARROW;
  const linesAtOnce = Math.ceil(Math.ceil(PIXELS_AT_ONCE / sumWidth(of)) / pool) * pool;
  const entries = Math.max((images * outputs + pixels) * filters, pixels * (grouped(filters) / 2 + 1));
  return {
    packed,
    filters: filters * filter,
    filterGradient: isNarrow ? packed : filters * filter,
    biasGradient: grouped(filters),
    sums: linesAtOnce * sumWidth(of) * grouped(filters),
    lists: (entries * ENTRY_BYTES) / 4 + pixels + filters,
    largest: images * outputs * filters,
    unfolded: pixels * grouped(kernelHeight * run),
  };
}

/** Addresses in bytes of what the forward pass reads and writes. largest: 0 if no gradient is needed. */
export interface ForwardPlaces {
  readonly input: number;
  readonly packed: number;
  readonly bias: number;
  readonly output: number;
  readonly largest: number;
  readonly sums: number;
}

/**
 * Addresses of the backward pass. inputGradient: 0 if it is not needed. It is overwritten; the other gradients are
 * added to.
 */
export interface BackwardPlaces {
  readonly input: number;
  readonly filters: number;
  readonly output: number;
  readonly largest: number;
  readonly outputGradient: number;
  readonly inputGradient: number;
  readonly filterGradient: number;
  readonly biasGradient: number;
  readonly sums: number;
  readonly lists: number;
}

/**
 * One convolution in one memory. Every output, and every element of a gradient, is one chain of rounded multiplications
 * and additions: sums go over [line, pixel, channel] of a window, gradients over [image, output]. Zeros of the gradient
 * at the sums are skipped.
 */
export interface NativeConvolution {
  /**
   * Brings weights [kernelHeight, kernelWidth, channels, filters] into the orders that the passes read. filters: 0 if
   * no gradient is needed.
   */
  pack(weights: number, packed: number, filters: number): void;
  /** Brings the gradient of the filters into the order of the weights. */
  unpack(filterGradient: number, weights: number): void;
  unfold(images: number, input: number, to: number): void;
  forward(images: number, at: ForwardPlaces): void;
  backward(images: number, at: BackwardPlaces): void;
}

/** The library's functions for convolutions. Addresses are byte offsets in the memory of the handle. */
export interface ConvolutionFunctions {
  convolution(handle: unknown, ...numbers: readonly unknown[]): unknown;
  packConvolution(convolution: unknown, ...addresses: readonly number[]): void;
  unpackConvolution(convolution: unknown, ...addresses: readonly number[]): void;
  unfold(convolution: unknown, images: number, ...addresses: readonly number[]): void;
  convolve(convolution: unknown, images: number, ...addresses: readonly number[]): void;
  convolutionGradients(convolution: unknown, images: number, ...addresses: readonly number[]): void;
}

/**
 * Makes a convolution. library and handle: of openNative(). Throws RangeError for sizes that do not fit; its functions
 * throw it for addresses outside of the memory.
 */
export function nativeConvolution(
  library: ConvolutionFunctions,
  handle: unknown,
  of: ConvolutionShape,
): NativeConvolution {
  const convolution = library.convolution(
    handle,
    ...[of.height, of.width, of.channels, of.pixel, of.image, of.kernelHeight, of.kernelWidth],
    ...[of.filters, of.pool, Number(of.relu), of.outputLine, of.outputImage],
  );
  return {
    pack: (weights, packed, filters) => library.packConvolution(convolution, weights, packed, filters),
    unpack: (filterGradient, weights) => library.unpackConvolution(convolution, filterGradient, weights),
    unfold: (images, input, to) => library.unfold(convolution, images, input, to),
    forward(images, { input, packed, bias, output, largest, sums }) {
      library.convolve(convolution, images, input, packed, bias, output, largest, sums);
    },
    backward(images, at) {
      library.convolutionGradients(
        convolution,
        images,
        ...[at.input, at.filters, at.output, at.largest, at.outputGradient, at.inputGradient],
        ...[at.filterGradient, at.biasGradient, at.sums, at.lists],
      );
    },
  };
}
