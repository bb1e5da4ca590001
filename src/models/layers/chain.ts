// Networks that are plain chains of convolutions, dense layers, relu, pooling and dropout, as the library of products
// computes them.
import { cached } from '../../cached.js';
import { type ConvolutionShape, grouped, sizesOf } from '../../engine/native/convolution.js';
import { type Draft, draftsOf, inputSize, type Size } from './chain-layers.js';
import type { LayersModel } from './model.js';

/**
 * The data between two steps, [image, line, pixel, channel], in floats. It has a border of zeros if the next
 * convolution pads its input.
 */
export interface ChainTensor {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** The lines of the border above the tensor, and the pixels of it before each line. */
  readonly top: number;
  readonly left: number;
  /** The stride from one line to the next, and from one image to the next. */
  readonly line: number;
  readonly image: number;
}

/** Returns where the tensor itself begins behind its border, in floats. */
export const interiorOf = ({ top, left, line, channels }: ChainTensor): number => top * line + left * channels;

export type ChainStep =
  /** A convolution or a dense layer, with its relu and pooling. */
  | {
      readonly kind: 'convolution';
      readonly shape: ConvolutionShape;
      /** If given, the windows are unfolded first, because their lines are too short for the loops. */
      readonly unfolded?: ConvolutionShape;
      /** The indices of the model's weights. */
      readonly kernel: number;
      readonly bias: number | undefined;
      readonly from: number;
      readonly to: number;
    }
  /** The mean of all pixels. */
  | { readonly kind: 'mean'; readonly from: number; readonly to: number }
  /** Dropout, in place. index: of its masks. */
  | { readonly kind: 'dropout'; readonly rate: number; readonly index: number; readonly at: number };

export interface Chain {
  /** The first tensor holds the images, the last one the logits. */
  readonly tensors: readonly ChainTensor[];
  readonly steps: readonly ChainStep[];
}

/** Windows whose lines have fewer floats are unfolded, if nobody needs the gradient at them. */
const SHORT = 16;
/** The largest side of an image that the library takes. */
const MOST_SIDE = 2 ** 14;
/**
 * The caches hold this many floats: a layer's weights, which are read again for every few images, and all tensors of an
 * image.
 */
const MOST_WEIGHTS = 2 ** 21;
const MOST_VALUES = 2 ** 19;

const chains = new WeakMap<LayersModel, { readonly chain: Chain | undefined }>();

/**
 * Returns the chain of a network. Returns undefined if it has other layers or branches, or is so large that
 * TensorFlow's products are faster.
 */
export const chainOf = (model: LayersModel): Chain | undefined =>
  cached(chains, model, () => ({ chain: makeChain(model) })).chain;

function makeChain(model: LayersModel): Chain | undefined {
  const drafts = draftsOf(model);
  const input = inputSize(model.inputShape);
  if (!drafts || Math.max(input.height, input.width) > MOST_SIDE) return undefined;
  return placed(model, drafts, input);
}

/** Gives each tensor the border that the next convolution needs. */
function placed(model: LayersModel, drafts: readonly Draft[], input: Size): Chain | undefined {
  const tensors: ChainTensor[] = [];
  const steps: ChainStep[] = [];
  let index = 0;
  const weightAt = (name: string): number | undefined => {
    const at = model.weights.findIndex((weight) => weight.name === name || weight.name.endsWith(`/${name}`));
    return at < 0 ? undefined : at;
  };
  const add = (size: Size, d: number): void => {
    tensors.push(
      tensorOf(
        size,
        drafts.slice(d).find(({ kind }) => kind !== 'dropout'),
      ),
    );
  };
  add(input, 0);
  for (const [d, draft] of drafts.entries()) {
    const from = tensors.length - 1;
    if (draft.kind === 'dropout') {
      steps.push({ kind: 'dropout', rate: draft.rate, index: index++, at: from });
      continue;
    }
    const size = draft.kind === 'mean' ? { height: 1, width: 1, channels: draft.size.channels } : sizeOfOutput(draft);
    add(size, d + 1);
    if (draft.kind === 'mean') {
      steps.push({ kind: 'mean', from, to: from + 1 });
      continue;
    }
    const [kernel, bias] = [weightAt(`${draft.layer}/kernel`), weightAt(`${draft.layer}/bias`)];
    if (kernel === undefined || (draft.hasBias && bias === undefined)) return undefined;
    const shape = shapeOf(draft, tensors[from]!, tensors[from + 1]!);
    const weights = { kernel, bias: draft.hasBias ? bias : undefined };
    steps.push({ kind: 'convolution', ...unfoldedWhere(shape, from === 0), ...weights, from, to: from + 1 });
  }
  return isSmall(tensors, steps) ? { tensors, steps } : undefined;
}

function isSmall(tensors: readonly ChainTensor[], steps: readonly ChainStep[]): boolean {
  const values = tensors.reduce((sum, { image }) => sum + image, 0);
  const isLight = (step: ChainStep) => step.kind !== 'convolution' || sizesOf(step.shape, 1).packed <= MOST_WEIGHTS;
  return values <= MOST_VALUES && steps.every(isLight);
}

function sizeOfOutput({ size, kernel, same, filters, pool }: Draft): Size {
  const [height, width] = [0, 1].map((side) => {
    const length = side === 0 ? size.height : size.width;
    return Math.floor((same ? length : length - kernel[side as 0 | 1] + 1) / pool);
  });
  return { height: height!, width: width!, channels: filters };
}

/** Returns the tensor as the next step reads it. A dense layer reads it flat. */
function tensorOf({ height, width, channels }: Size, next: Draft | undefined): ChainTensor {
  const [kernelHeight, kernelWidth] = next?.kind === 'convolution' && next.same ? next.kernel : [1, 1];
  const [top, left] = [Math.floor((kernelHeight - 1) / 2), Math.floor((kernelWidth - 1) / 2)];
  const line = (width + kernelWidth - 1) * channels;
  return { height, width, channels, top, left, line, image: (height + kernelHeight - 1) * line };
}

function shapeOf(
  { size, kernel, same, filters, pool, relu }: Draft,
  from: ChainTensor,
  to: ChainTensor,
): ConvolutionShape {
  const [more, wider] = same ? [kernel[0] - 1, kernel[1] - 1] : [0, 0];
  return {
    height: size.height + more,
    width: size.width + wider,
    channels: size.channels,
    pixel: size.channels,
    image: from.image,
    kernelHeight: kernel[0],
    kernelWidth: kernel[1],
    filters,
    pool,
    relu,
    outputLine: to.line,
    outputImage: to.image,
  };
}

/** Unfolds the windows if that is faster. isFirst: nobody needs the gradient at the input. */
function unfoldedWhere(
  shape: ConvolutionShape,
  isFirst: boolean,
): { readonly shape: ConvolutionShape; readonly unfolded?: ConvolutionShape } {
  const run = shape.kernelWidth * shape.channels;
  if (!isFirst || run >= SHORT || shape.kernelHeight * shape.kernelWidth === 1) return { shape };
  const [height, width] = [shape.height - shape.kernelHeight + 1, shape.width - shape.kernelWidth + 1];
  const channels = shape.kernelHeight * run;
  const pixel = grouped(channels);
  const flat = { height, width, channels, pixel, image: height * width * pixel, kernelHeight: 1, kernelWidth: 1 };
  return { shape: { ...shape, ...flat }, unfolded: shape };
}
