// The layout of a machine's one block of shared memory. It holds everything that steps read and write, except the
// images, which may exceed its size. Threads and kernels hold addresses into it, so that nothing is copied between
// them.
import { Images } from '../data/images.js';
import { PseudolabelError } from '../errors.js';
import { SUMS_BYTES, UPDATE_LOG_BYTES } from './kernel/kernel.js';
import { normalQuantiles } from './normals.js';
import { PAGE, sharedMemory } from './shared-memory.js';

/** What an arena has room for. It does not change. */
export interface ArenaShape {
  readonly pixels: number;
  /** The unlabelled images, in shard order. */
  readonly unlabelled: number;
  /** The images of the evaluation set (test or validation). */
  readonly evaluation: number;
  /** The length of the longest parameter vector, in floats. */
  readonly parameterCount: number;
  /** The gradient buffers, one per shard. */
  readonly shards: number;
  /** The tasks that run at the same time. Each has a workspace, its own scratch memory. */
  readonly workspaces: number;
  readonly workspaceBytes: number;
  /** Whether the average of the weights is kept as well. */
  readonly averages?: boolean;
  /**
   * The bytes for tensor parallelism (models/dense/tensor-layout.ts): those for all, and those for the group of shards
   * of each worker. Left out if no model is tensor parallel.
   */
  readonly tensorShardBytes?: number;
  readonly shardGroupBytes?: number;
}

/** Returns the arena shape that other machines are told. They choose their own workspaces. */
export function sentShape({
  workspaces: _,
  tensorShardBytes = 0,
  shardGroupBytes = 0,
  averages = false,
  ...rest
}: ArenaShape) {
  return { ...rest, tensorShardBytes, shardGroupBytes, averages };
}

/** The byte offsets of the regions, each aligned to 64 bytes. */
export interface Regions {
  /** u16. */
  readonly pseudoLabels: number;
  readonly confidences: number;
  readonly parameters: number;
  readonly firstMoment: number;
  readonly secondMoment: number;
  /** The exponential average of the parameters. Empty if none is kept. */
  readonly average: number;
  readonly gradientBuffers: number;
  /**
   * The sum of all gradient buffers, if it does not come from this arena's gradient buffers alone. Otherwise nothing
   * touches it, so that it takes no memory.
   */
  readonly total: number;
  /**
   * The rounding errors of sums that were sent over a network, and the encoded sums. If nothing is rounded they take no
   * memory either.
   */
  readonly residual: number;
  readonly encoded: number;
  /** For each gradient buffer, the number of gradients that it is the sum of, i32; and scratch for summing them. */
  readonly counts: number;
  readonly sums: number;
  /** Sums of several gradient buffers that are sent to another machine. It takes no memory if there are none. */
  readonly outgoing: number;
  /** The progress of the gradient in each gradient buffer (gradient-progress.ts), i32. */
  readonly progress: number;
  readonly normals: number;
  readonly updateLogs: number;
  readonly averageLogs: number;
  readonly workspaces: number;
  readonly tensorShards: number;
  readonly end: number;
}

/** The images of a machine, outside of the arena's memory. */
export interface ImageSets {
  /** In shard order. */
  readonly unlabelled: Images;
  /** Validation images, then test images. */
  readonly evaluation: Images;
}

export interface Arena {
  readonly memory: WebAssembly.Memory;
  readonly shape: ArenaShape;
  readonly regions: Regions;
  readonly images: ImageSets;
}

const QUANTILES = 2 ** 14;

/** The bytes between the update logs of two slices of the parameters. */
export const UPDATE_LOG_STRIDE = roundUp(UPDATE_LOG_BYTES);

function roundUp(bytes: number): number {
  return Math.ceil(bytes / 64) * 64;
}

export function regionsOf(shape: ArenaShape): Regions {
  // The first page stays empty, so that an address of 0 is always a mistake.
  let end = PAGE;
  const take = (bytes: number): number => {
    const start = end;
    end += roundUp(bytes);
    return start;
  };
  const vector = shape.parameterCount * 4;
  return {
    pseudoLabels: take(shape.unlabelled * 2),
    confidences: take(shape.unlabelled * 4),
    parameters: take(vector),
    firstMoment: take(vector),
    secondMoment: take(vector),
    average: take(shape.averages ? vector : 0),
    gradientBuffers: take(gradientStride(shape) * shape.shards),
    total: take(vector),
    residual: take(vector),
    encoded: take(vector / 2),
    counts: take(shape.shards * 4),
    sums: take(SUMS_BYTES),
    outgoing: take(vector),
    progress: take(shape.shards * 4),
    normals: take(QUANTILES * 4),
    updateLogs: take(shape.workspaces * UPDATE_LOG_STRIDE),
    averageLogs: take(shape.averages ? shape.workspaces * UPDATE_LOG_STRIDE : 0),
    workspaces: take(shape.workspaces * roundUp(shape.workspaceBytes)),
    tensorShards: take((shape.tensorShardBytes ?? 0) + shape.workspaces * (shape.shardGroupBytes ?? 0)),
    end,
  };
}

/** Returns the bytes between the gradient buffers of two shards. */
export const gradientStride = (shape: ArenaShape): number => roundUp(shape.parameterCount * 4);

/** Returns where workspace `workspace` begins, in bytes. */
export const workspaceStart = (arena: Arena, workspace: number): number =>
  arena.regions.workspaces + workspace * roundUp(arena.shape.workspaceBytes);

/**
 * Makes an arena. Throws E_MEMORY if the shape needs more than the 4 GiB that WebAssembly can address, or more than the
 * system gives.
 * @param images as many as the shape says; if left out, there is room for them
 */
export function createArena(shape: ArenaShape, images?: ImageSets): Arena {
  checkWebAssembly();
  const fix = 'use fewer --shards or a smaller network';
  const memory = sharedMemory(regionsOf(shape).end, { what: 'the run', fix });
  const arena = attachArena(memory, shape, images ?? roomFor(shape));
  floats(arena, 'normals', QUANTILES).set(normalQuantiles(QUANTILES));
  return arena;
}

/** Throws E_CONFIG if Node.js was started without WebAssembly. */
export function checkWebAssembly(): void {
  if ('WebAssembly' in globalThis) return;
  const fix = 'leave --jitless out of NODE_OPTIONS and of the command line';
  throw new PseudolabelError('E_CONFIG', 'Node.js was started without WebAssembly', fix);
}

const roomFor = ({ pixels, unlabelled, evaluation }: ArenaShape): ImageSets => ({
  unlabelled: Images.room(unlabelled, pixels),
  evaluation: Images.room(evaluation, pixels),
});

/** Returns the same arena in another thread. */
export function attachArena(memory: WebAssembly.Memory, shape: ArenaShape, images: ImageSets): Arena {
  return { memory, shape, regions: regionsOf(shape), images };
}

export function floats(arena: Arena, region: keyof Regions, length: number): Float32Array {
  return new Float32Array(arena.memory.buffer, arena.regions[region], length);
}

export function bytes(arena: Arena, region: keyof Regions, length: number): Uint8Array {
  return new Uint8Array(arena.memory.buffer, arena.regions[region], length);
}

/** Returns the classes that were predicted last for all unlabelled images. */
export function pseudoLabels({ memory, regions, shape }: Pick<Arena, 'memory' | 'regions' | 'shape'>): Uint16Array {
  return new Uint16Array(memory.buffer, regions.pseudoLabels, shape.unlabelled);
}
