// Tests the library's convolutions against plain loops: every variant of this processor gives the same bits.
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BEHIND, type ConvolutionShape, type NativeConvolution, sizesOf } from '../../src/engine/native/convolution.js';
import { nativeVariants, openNative } from '../../src/engine/native/native.js';
import { Space } from '../../src/engine/space.js';
import { sameBits } from '../bits.js';
import { folderOfTest } from '../folders.js';
import { compileForArm64, emulatedConvolution, whyNoArm64 } from './emulated-products.js';
import { plainConvolution } from './plain-convolution.js';
import { uniform } from './shard-task.js';

const memory = new WebAssembly.Memory({ initial: 128, maximum: 128, shared: true });
const floats = new Float32Array(memory.buffer);
const variants = nativeVariants().map((variant) => openNative(memory, variant));

interface Case {
  readonly of: ConvolutionShape;
  readonly images: number;
  readonly density: number;
  readonly seed: number;
}

const cases: fc.Arbitrary<Case> = fc
  .record({
    kernelHeight: fc.integer({ min: 1, max: 4 }),
    kernelWidth: fc.integer({ min: 1, max: 4 }),
    more: fc.tuple(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 0, max: 6 })),
    channels: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.constantFrom(16, 24, 40)),
    filters: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.constantFrom(24, 32, 40, 70)),
    pool: fc.integer({ min: 1, max: 3 }),
    apart: fc.tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 9 })),
    relu: fc.boolean(),
    images: fc.integer({ min: 1, max: 4 }),
    density: fc.constantFrom(0, 0.1, 0.5, 1),
    seed: fc.nat(),
  })
  .map(({ kernelHeight, kernelWidth, more, channels, filters, pool, apart, relu, images, density, seed }) => {
    const [height, width] = [kernelHeight + pool - 1 + more[0], kernelWidth + pool - 1 + more[1]];
    const [pixel, line] = [channels + apart[0], (channels + apart[0]) * width];
    const outputWidth = Math.floor((width - kernelWidth + 1) / pool) * filters + apart[1];
    const outputHeight = Math.floor((height - kernelHeight + 1) / pool);
    const window = { height, width, channels, pixel, image: height * line + apart[2], kernelHeight, kernelWidth };
    const output = { outputLine: outputWidth, outputImage: outputHeight * outputWidth + apart[2] };
    return { of: { ...window, filters, pool, relu, ...output }, images, density, seed };
  });

/** Does both passes of random arrays that follow each other in memory. Returns all that they write. */
function passesOf({ of, images, density, seed }: Case, convolution: NativeConvolution, firstInput: boolean) {
  const space = new Space(64);
  const sizes = sizesOf(of, images);
  const take = (length: number) => space.take(length + BEHIND);
  const window = of.kernelHeight * ((of.kernelWidth - 1) * of.pixel + of.channels);
  const [input, weights, bias] = [take(images * of.image), take(window * of.filters), take(of.filters)];
  const [output, outputGradient] = [take(images * of.outputImage), take(images * of.outputImage)];
  const [packed, filters, largest] = [take(sizes.packed), take(sizes.filters), take(sizes.largest)];
  const [inputGradient, gathered, biasGradient] = [
    take(images * of.image),
    take(sizes.filterGradient),
    take(sizes.biasGradient),
  ];
  const [sums, lists, gradient, unfolded] = [
    take(sizes.sums),
    take(sizes.lists),
    take(window * of.filters),
    take(images * sizes.unfolded),
  ];
  const next = uniform(seed);
  floats.fill(Number.NaN, 0, space.end / 4);
  const draw = (at: number, length: number, share: number) => {
    for (let i = 0; i < length; i++)
      floats[at / 4 + i] = next() < share ? (next() - 0.5) * 2 ** Math.floor(9 * next()) : 0;
  };
  draw(input, images * of.image, 0.7);
  draw(weights, window * of.filters, 1);
  draw(bias, of.filters, 1);
  draw(outputGradient, images * of.outputImage, density);
  floats.fill(7, output / 4, output / 4 + images * of.outputImage);
  for (const [at, length] of [
    [gathered, sizes.filterGradient],
    [biasGradient, sizes.biasGradient],
  ] as const)
    floats.fill(0, at / 4, at / 4 + length);
  convolution.pack(weights, packed, filters);
  convolution.unfold(images, input, unfolded);
  convolution.forward(images, { input, packed, bias, output, largest, sums });
  const gradients = { filterGradient: gathered, biasGradient, inputGradient: firstInput ? 0 : inputGradient };
  convolution.backward(images, { input, filters, output, largest, outputGradient, ...gradients, sums, lists });
  convolution.unpack(gathered, gradient);
  const slice = (at: number, length: number) => floats.slice(at / 4, at / 4 + length);
  return {
    output: slice(output, images * of.outputImage),
    unfolded: slice(unfolded, images * sizes.unfolded),
    gradient: slice(gradient, window * of.filters),
    bias: slice(biasGradient, of.filters),
    input: firstInput ? new Float32Array() : slice(inputGradient, images * of.image),
    weights: slice(weights, window * of.filters),
  };
}

describe('a convolution of the library', () => {
  it('has the bits of plain loops in every variant, and writes nothing between the lines of its output', () => {
    fc.assert(
      fc.property(cases, fc.boolean(), (given, firstInput) => {
        const expected = passesOf(given, plainConvolution(memory, given.of), firstInput);
        for (const native of variants) {
          const found = passesOf(given, native.convolution(given.of), firstInput);
          for (const part of Object.keys(expected) as (keyof typeof expected)[])
            if (!sameBits(found[part], expected[part])) throw new Error(`${native.variant}: ${part}`);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('is refused with sizes that do not fit, and outside of the memory', () => {
    const [native] = variants as [(typeof variants)[0]];
    const of = {
      height: 5,
      width: 5,
      channels: 2,
      pixel: 2,
      image: 50,
      kernelHeight: 3,
      kernelWidth: 3,
      filters: 4,
      pool: 1,
      relu: true,
      outputLine: 12,
      outputImage: 36,
    };
    const wrong: Partial<ConvolutionShape>[] = [
      ...[{ height: 2 }, { image: 49 }, { channels: 3 }, { pool: 4 }, { pool: 9 }, { filters: 0 }],
      ...[{ outputLine: 11 }, { outputImage: 35 }, { kernelWidth: 6 }, { filters: 2 ** 31 }, { height: 2 ** 15 }],
    ];
    for (const change of wrong)
      expect(() => native.convolution({ ...of, ...change }), JSON.stringify(change)).toThrow(RangeError);
    const convolution = native.convolution(of);
    const end = memory.buffer.byteLength - 64;
    const at = { input: 64, packed: 64, bias: 64, output: 64, largest: 64, sums: 64 };
    for (const key of ['input', 'packed', 'output', 'largest', 'sums'] as const)
      expect(() => convolution.forward(1, { ...at, [key]: end }), key).toThrow(RangeError);
    expect(() => convolution.forward(2 ** 30, at)).toThrow(RangeError);
    expect(() => convolution.pack(64, end, 0)).toThrow(RangeError);
    expect(() => convolution.unpack(end, 64)).toThrow(RangeError);
    expect(() => convolution.unfold(1, 64, end)).toThrow(RangeError);
  });

  it('is of use when what opened the library has been collected', async () => {
    const [given] = fc.sample(cases, { numRuns: 1, seed: 5 }) as [Case];
    const expected = passesOf(given, plainConvolution(memory, given.of), false);
    const alone = [0, 1, 2, 3].map(() => openNative(memory).convolution(given.of));
    setFlagsFromString('--expose-gc');
    (runInNewContext('gc') as () => void)();
    setFlagsFromString('--no-expose-gc');
    await sleep(10); // By then, collected memory has been freed.
    for (const convolution of alone) expect(passesOf(given, convolution, false)).toEqual(expected);
  });

  it('is refused where what it says of the largest of a window is of another pass', () => {
    const [native] = variants as [(typeof variants)[0]];
    const of = {
      height: 4,
      width: 4,
      channels: 1,
      pixel: 1,
      image: 16,
      kernelHeight: 1,
      kernelWidth: 1,
      filters: 1,
      pool: 2,
      relu: false,
      outputLine: 2,
      outputImage: 4,
    };
    new Int32Array(memory.buffer).fill(4, 0, 65_536);
    const places = { input: 64, filters: 4096, output: 8192, outputGradient: 16_384, inputGradient: 0 };
    const rest = { largest: 128, filterGradient: 20_480, biasGradient: 24_576, sums: 32_768, lists: 65_536 };
    expect(() => native.convolution(of).backward(1, { ...places, ...rest })).toThrow(RangeError);
  });

  it.skipIf(whyNoArm64)(
    `has the bits of an emulated arm64${whyNoArm64 ? `: left out without ${whyNoArm64}` : ''}`,
    () => {
      const program = compileForArm64(folderOfTest('arm64-convolution'));
      for (const given of fc.sample(cases, { numRuns: 12, seed: 3 })) {
        const expected = passesOf(given, plainConvolution(memory, given.of), false);
        const found = passesOf(given, emulatedConvolution(memory, program, given.of), false);
        for (const part of ['output', 'gradient', 'bias', 'input'] as const)
          expect(sameBits(found[part], expected[part]), part).toBe(true);
      }
    },
  );
});
