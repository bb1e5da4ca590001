// Owns the library of products for arm64, compiled and emulated where this machine has the tools (Debian: g++-aarch64-linux-gnu, qemu-user).
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { NativeProducts, Strided } from '../../src/engine/native/native.js';
import { plainProducts } from './plain-products.js';

const COMPILER = 'aarch64-linux-gnu-g++';
const EMULATOR = ['qemu-aarch64', '-L', '/usr/aarch64-linux-gnu'] as const;

/** Why there is none here; undefined: there is. */
export const whyNoArm64: string | undefined = [COMPILER, EMULATOR[0]].find(
  (tool) => spawnSync(tool, ['--version']).status !== 0,
);

/** Compiles it into a folder. Returns the program. */
export function compileForArm64(folder: string): string {
  const program = join(folder, 'products-arm64');
  const sources = fileURLToPath(new URL('../../src/engine/native', import.meta.url));
  const driver = fileURLToPath(new URL('emulated-products.cc', import.meta.url));
  const flags = ['-O3', '-std=c++17', '-ffp-contract=off', '-DVARIANT=generic', '-DVECTOR=16', '-I', sources];
  execFileSync(COMPILER, [...flags, join(sources, 'products.cc'), driver, '-o', program], { stdio: 'pipe' });
  return program;
}

/** Every product in a process of the emulator. */
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
