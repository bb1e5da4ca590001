// Loads the WebAssembly kernel onto an arena's memory. The source of each function, in assembly/, says what it does.
import { readFileSync } from 'node:fs';
import { built } from '../../files/read.js';

/** The functions of the kernel. Addresses are byte offsets in the arena; counts are in elements. */
export interface Kernel {
  loadRows(images: number, rows: number, padded: number, pixels: number, x: number): void;
  dropout(x: number, n: number, keep: number, scale: number, state: number): void;
  addNoise(x: number, n: number, sigma: number, normals: number, state: number): void;
  transpose(from: number, rows: number, columns: number, to: number): void;
  reluDropout(z: number, bias: number, units: number, rows: number, keep: number, scale: number, state: number): number;
  reluDropoutGradient(da: number, h: number, units: number, rows: number, scale: number, dbias: number): number;
  biasGradient(dz: number, units: number, rows: number, dbias: number): number;
  softmaxCrossEntropy(
    z: number,
    bias: number,
    targets: number,
    weights: number,
    classes: number,
    rows: number,
    losses: number,
  ): void;
  sigmoidCrossEntropy(
    z: number,
    bias: number,
    targets: number,
    weights: number,
    classes: number,
    rows: number,
    losses: number,
  ): void;
  softmaxMasses(z: number, bias: number, classes: number, rows: number, counted: number, masses: number): void;
  classify(
    z: number,
    bias: number,
    classes: number,
    rows: number,
    softmax: number,
    predicted: number,
    confidences: number,
  ): void;
  widen(from: number, n: number, to: number): void;
  packColumns(
    w: number,
    hidden: number,
    first: number,
    units: number,
    classes: number,
    to: number,
    sums: number,
  ): number;
  broadcast(bias: number, classes: number, rows: number, z: number): void;
  add(to: number, from: number, n: number): void;
  momentum(
    p: number,
    m: number,
    gradientBuffers: number,
    stride: number,
    shards: number,
    start: number,
    end: number,
    a: number,
    b: number,
    c: number,
    keep: number,
    nesterov: number,
    id: number,
    updateLog: number,
  ): void;
  adam(
    p: number,
    m: number,
    v: number,
    gradientBuffers: number,
    stride: number,
    shards: number,
    start: number,
    end: number,
    rate: number,
    b1: number,
    b2: number,
    c1: number,
    c2: number,
    epsilon: number,
    keep: number,
    scale: number,
    id: number,
    updateLog: number,
  ): void;
  sum(
    gradientBuffers: number,
    stride: number,
    counts: number,
    first: number,
    count: number,
    start: number,
    end: number,
    to: number,
    sums: number,
  ): number;
  roundFedBack(v: number, residual: number, to: number, n: number): number;
  narrowForward(x: number, inputs: number, rows: number, w: number, units: number, z: number): void;
  narrowKernelGradient(x: number, inputs: number, rows: number, dz: number, units: number, dw: number): void;
  narrowInputGradient(w: number, inputs: number, dz: number, units: number, rows: number, dx: number): void;
}

/** The floats that an update stages at a time. Slices begin at multiples of it (assembly/optimizers.ts). */
export const UPDATE_CHUNK = 1024;

/** The bytes for the sums of a tree over up to 2^16 shards, one chunk per level (assembly/optimizers.ts). */
export const SUMS_BYTES = 17 * UPDATE_CHUNK * 4;

/** The offset of the sums in a slice's update log, in bytes (assembly/optimizers.ts). */
export const UPDATE_LOG_SUMS = 64 + 3 * UPDATE_CHUNK * 4;

/** The bytes of a slice's update log with its staged chunk and its sums (assembly/optimizers.ts). */
export const UPDATE_LOG_BYTES = UPDATE_LOG_SUMS + SUMS_BYTES;

let compiled: WebAssembly.Module | undefined;

export function loadKernel(memory: WebAssembly.Memory): Kernel {
  compiled ??= new WebAssembly.Module(readFileSync(built('src/engine/kernel/kernel.wasm')));
  return new WebAssembly.Instance(compiled, { env: { memory } }).exports as unknown as Kernel;
}
