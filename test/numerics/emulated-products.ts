// Compiles and emulates the library of products and convolutions for arm64, if this machine has the tools (Debian:
// g++-aarch64-linux-gnu, qemu-user).
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ConvolutionShape, ForwardPlaces, NativeConvolution } from '../../src/engine/native/convolution.js';
import type { NativeProducts, Strided } from '../../src/engine/native/native.js';
import { plainConvolution } from './plain-convolution.js';
import { plainProducts } from './plain-products.js';

const COMPILER = 'aarch64-linux-gnu-g++';
const EMULATOR = ['qemu-aarch64', '-L', '/usr/aarch64-linux-gnu'] as const;

/** The tool that is missing here; undefined if none is. */
export const whyNoArm64: string | undefined = [COMPILER, EMULATOR[0]].find(
  (tool) => spawnSync(tool, ['--version']).status !== 0,
);

/** Compiles the library into a folder. Returns the program. */
export function compileForArm64(folder: string): string {
  const program = join(folder, 'products-arm64');
  const sources = fileURLToPath(new URL('../../src/engine/native', import.meta.url));
  const driver = fileURLToPath(new URL('emulated-products.cc', import.meta.url));
  const flags = ['-O3', '-std=c++17', '-ffp-contract=off', '-DVARIANT=generic', '-DVECTOR=16', '-I', sources];
  const files = ['products', 'convolution', 'convolution-gradients', 'neighbours'].map((name) =>
    join(sources, `${name}.cc`),
  );
  execFileSync(COMPILER, [...flags, ...files, driver, '-o', program], { stdio: 'pipe' });
  return program;
}

/** Computes every product in a process of the emulator. */
export function emulatedProducts(memory: WebAssembly.Memory, program: string): NativeProducts {
  const floats = new Float32Array(memory.buffer);
  const [name, ...args] = EMULATOR;
  const taken = ({ at }: Strided, length: number) => Buffer.from(floats.slice(at / 4, at / 4 + length).buffer);
  return {
    ...plainProducts(memory),
    variant: 'arm64',
    product(n, k, m, s, d, c, lists) {
      const transposed = [s, d, c].map(({ columns }) => Number(columns !== 1));
      const header = Buffer.from(Int32Array.from([n, k, m, ...transposed, Number(lists !== 0)]).buffer);
      const input = Buffer.concat([header, taken(s, n * k), taken(d, k * m)]);
      const output = execFileSync(name, [...args, program], { input, maxBuffer: 2 ** 30 });
      floats.set(new Float32Array(output.buffer.slice(output.byteOffset, output.byteOffset + 4 * n * m)), c.at / 4);
    },
  };
}

/** Computes both passes of a convolution in a process of the emulator. The second pass starts the process. */
export function emulatedConvolution(
  memory: WebAssembly.Memory,
  program: string,
  of: ConvolutionShape,
): NativeConvolution {
  const floats = new Float32Array(memory.buffer);
  const window = of.kernelHeight * ((of.kernelWidth - 1) * of.pixel + of.channels);
  const plain = plainConvolution(memory, of);
  const [name, ...args] = EMULATOR;
  const taken = (at: number, length: number) => Buffer.from(floats.slice(at / 4, at / 4 + length).buffer);
  let packedFrom = 0;
  let forward: ForwardPlaces | undefined;
  let before = Buffer.alloc(0);
  return {
    ...plain,
    pack(weights) {
      packedFrom = weights;
    },
    forward(images, at) {
      forward = at;
      before = taken(at.output, images * of.outputImage);
    },
    backward(images, at) {
      const shape = [of.height, of.width, of.channels, of.pixel, of.image, of.kernelHeight, of.kernelWidth, of.filters];
      const sizes = [images, ...shape, of.pool, Number(of.relu), of.outputLine, of.outputImage];
      const input = Buffer.concat([
        Buffer.from(Int32Array.from(sizes).buffer),
        ...[taken(at.input, images * of.image), taken(packedFrom, window * of.filters)],
        ...[taken(forward!.bias, of.filters), before, taken(at.outputGradient, images * of.outputImage)],
      ]);
      const result = execFileSync(name, [...args, program, 'convolution'], { input, maxBuffer: 2 ** 30 });
      const found = new Float32Array(result.buffer.slice(result.byteOffset, result.byteOffset + result.length));
      let start = 0;
      const put = (to: number, length: number): void => {
        floats.set(found.subarray(start, start + length), to / 4);
        start += length;
      };
      put(forward!.output, images * of.outputImage);
      put(at.filterGradient, window * of.filters);
      put(at.biasGradient, of.filters);
      put(at.inputGradient, images * of.image);
    },
  };
}
