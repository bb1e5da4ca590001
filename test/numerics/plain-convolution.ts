// The reference of the library's convolutions: their definition as plain loops, without vectors or lists.
import {
  type BackwardPlaces,
  type ConvolutionShape,
  type ForwardPlaces,
  grouped,
  type NativeConvolution,
  outputHeight,
  outputWidth,
  sumHeight,
  sumWidth,
} from '../../src/engine/native/convolution.js';

const { fround } = Math;

export function plainConvolution(memory: WebAssembly.Memory, of: ConvolutionShape): NativeConvolution {
  const floats = new Float32Array(memory.buffer);
  const words = new Int32Array(memory.buffer);
  const { channels, pixel, kernelHeight, kernelWidth, filters, pool, width } = of;
  const [line, run] = [width * pixel, (kernelWidth - 1) * pixel + channels];
  const window = kernelHeight * run;
  /** Calls use(k, offset) for each float of a window. */
  const eachOfWindow = (use: (k: number, offset: number) => void): void => {
    for (let k = 0; k < window; k++) use(k, Math.floor(k / run) * line + (k % run));
  };
  /** Calls use(output, place of it in its images, y, x) for all outputs, without their filters. */
  const eachOutput = (images: number, use: (output: number, n: number, y: number, x: number) => void): void => {
    for (let n = 0; n < images; n++)
      for (let y = 0; y < outputHeight(of); y++)
        for (let x = 0; x < outputWidth(of); x++)
          use(n * of.outputImage + y * of.outputLine + x * filters, n, y * pool, x * pool);
  };
  const largestAt = (n: number, y: number, x: number, f: number): number =>
    ((n * outputHeight(of) + y / pool) * outputWidth(of) + x / pool) * filters + f;

  return {
    pack(weights, packed, inFilters) {
      for (const to of [packed, inFilters].filter((address) => address !== 0))
        floats.copyWithin(to / 4, weights / 4, weights / 4 + window * filters);
    },
    unpack(filterGradient, weights) {
      floats.copyWithin(weights / 4, filterGradient / 4, filterGradient / 4 + window * filters);
    },
    unfold(images, input, to) {
      const room = grouped(window);
      let pixels = to / 4;
      for (let n = 0; n < images; n++)
        for (let y = 0; y < sumHeight(of); y++)
          for (let x = 0; x < sumWidth(of); x++, pixels += room) {
            floats.fill(0, pixels, pixels + room);
            eachOfWindow((k, offset) => {
              floats[pixels + k] = floats[input / 4 + n * of.image + y * line + x * pixel + offset]!;
            });
          }
    },
    forward(images, { input, packed, bias, output, largest }: ForwardPlaces) {
      const sumOf = (at: number, f: number): number => {
        let sum = 0;
        eachOfWindow((k, offset) => {
          sum = fround(sum + fround(floats[input / 4 + at + offset]! * floats[packed / 4 + k * filters + f]!));
        });
        return sum;
      };
      eachOutput(images, (place, n, y, x) => {
        for (let f = 0; f < filters; f++) {
          const at = (i: number) => n * of.image + (y + Math.floor(i / pool)) * line + (x + (i % pool)) * pixel;
          let [best, first] = [sumOf(at(0), f), 0];
          for (let i = 1; i < pool * pool; i++) {
            const other = sumOf(at(i), f);
            if (other > best) [best, first] = [other, i];
          }
          const value = fround(best + floats[bias / 4 + f]!);
          floats[output / 4 + place + f] = of.relu && value < 0 ? 0 : value;
          if (largest !== 0) words[largest / 4 + largestAt(n, y, x, f)] = first;
        }
      });
    },
    backward(images, at: BackwardPlaces) {
      const sums = new Float32Array(images * sumHeight(of) * sumWidth(of) * filters);
      const add = (to: number, product: number): void => {
        floats[to] = fround(floats[to]! + product);
      };
      eachOutput(images, (place, n, y, x) => {
        for (let f = 0; f < filters; f++) {
          const given = floats[at.outputGradient / 4 + place + f]!;
          const value = of.relu && !(floats[at.output / 4 + place + f]! > 0) ? 0 : given;
          add(at.biasGradient / 4 + f, value);
          const i = pool === 1 ? 0 : words[at.largest / 4 + largestAt(n, y, x, f)]!;
          const [down, right] = [y + Math.floor(i / pool), x + (i % pool)];
          sums[((n * sumHeight(of) + down) * sumWidth(of) + right) * filters + f] = value;
          if (value === 0) continue;
          eachOfWindow((k, offset) => {
            const from = floats[at.input / 4 + n * of.image + down * line + right * pixel + offset]!;
            add(at.filterGradient / 4 + k * filters + f, fround(from * value));
          });
        }
      });
      if (at.inputGradient === 0) return;
      floats.fill(0, at.inputGradient / 4, at.inputGradient / 4 + images * of.image);
      for (let n = 0; n < images; n++)
        for (let y = 0; y < sumHeight(of); y++)
          for (const x of inTurns(sumWidth(of), kernelWidth))
            for (let f = 0; f < filters; f++) {
              const value = sums[((n * sumHeight(of) + y) * sumWidth(of) + x) * filters + f]!;
              if (value === 0) continue;
              eachOfWindow((k, offset) => {
                const to = at.inputGradient / 4 + n * of.image + y * line + x * pixel + offset;
                add(to, fround(floats[at.filters / 4 + k * filters + f]! * value));
              });
            }
    },
  };
}

/** Returns every step-th pixel of a line from the first on, then from the second on, and so forth. */
const inTurns = (width: number, step: number): number[] =>
  Array.from({ length: width }, (_, x) => x).sort((a, b) => (a % step) - (b % step) || a - b);
