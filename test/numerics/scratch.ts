// Makes a small memory with the kernel on it, for tests that call its functions one by one.
import { type Kernel, loadKernel } from '../../src/engine/kernel/kernel.js';

export interface Scratch {
  readonly memory: WebAssembly.Memory;
  readonly kernel: Kernel;
  /** Copies values to a new place, aligned to 64 bytes. Its byteOffset is the address. */
  floats(values: ArrayLike<number>): Float32Array;
  bytes(values: ArrayLike<number>): Uint8Array;
  uint16s(values: ArrayLike<number>): Uint16Array;
  words(values: ArrayLike<number>): Uint32Array;
}

const PAGES = 256;

export function scratch(): Scratch {
  const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES, shared: true });
  let end = 65536;
  const place = (bytes: number): number => {
    const start = end;
    end = Math.ceil((end + bytes) / 64) * 64;
    return start;
  };
  const put = <T extends Float32Array | Uint8Array | Uint16Array | Uint32Array>(
    array: T,
    values: ArrayLike<number>,
  ): T => {
    array.set(values);
    return array;
  };
  return {
    memory,
    kernel: loadKernel(memory),
    floats: (values) => put(new Float32Array(memory.buffer, place(values.length * 4), values.length), values),
    bytes: (values) => put(new Uint8Array(memory.buffer, place(values.length), values.length), values),
    uint16s: (values) => put(new Uint16Array(memory.buffer, place(values.length * 2), values.length), values),
    words: (values) => put(new Uint32Array(memory.buffer, place(values.length * 4), values.length), values),
  };
}
