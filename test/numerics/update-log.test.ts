// Tests an update in which a worker died. A repetition gives the bits of an undisturbed update, and a second repetition
// changes nothing.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { floats } from '../../src/engine/arena.js';
import { loadKernel, UPDATE_CHUNK } from '../../src/engine/kernel/kernel.js';
import type { OptimizerStep } from '../../src/engine/optimizer.js';
import { built } from '../../src/files/read.js';
import type { UpdateTask } from '../../src/models/tasks.js';
import { update } from '../../src/models/update.js';
import { sameBits } from '../bits.js';
import { uniform } from './shard-task.js';
import { type UpdateArena, updateArena, VECTORS } from './update-arena.js';

const ADAM: OptimizerStep = { kind: 'adam', rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-7, t: 3 };
const MOMENTUM: OptimizerStep = { kind: 'momentum', a: 0.9, b: 0.1, c: 1 };

function taskOf({ arena: { shape } }: UpdateArena, id: number, optimizer: OptimizerStep): UpdateTask {
  return {
    kind: 'update',
    update: id,
    slice: 0,
    start: 0,
    end: shape.parameterCount,
    shards: shape.shards,
    optimizer,
  };
}

/** Returns the words id and progress, and the staged chunk of each vector, as assembly/optimizers.ts defines them. */
function updateLogOf({ arena }: UpdateArena) {
  const { memory, regions } = arena;
  return {
    words: new Int32Array(memory.buffer, regions.updateLogs, 2),
    staged: VECTORS.map(
      (_, i) => new Float32Array(memory.buffer, regions.updateLogs + 64 + i * UPDATE_CHUNK * 4, UPDATE_CHUNK),
    ),
  };
}

function expectBits(vectors: UpdateArena, expected: readonly Float32Array[]): void {
  vectors.read().forEach((vector, i) => {
    expect(sameBits(vector, expected[i]!), VECTORS[i]!).toBe(true);
  });
}

describe('an update done twice', () => {
  it.each([ADAM, MOMENTUM])('is done once: $kind', (optimizer) => {
    const vectors = updateArena(3 * UPDATE_CHUNK, 2);
    vectors.randomise(1);
    update(vectors.engine, taskOf(vectors, 1, optimizer));
    const once = vectors.read();
    vectors.gradientBuffer(1).fill(1);
    update(vectors.engine, taskOf(vectors, 1, optimizer));
    expectBits(vectors, once);
    update(vectors.engine, taskOf(vectors, 2, optimizer));
    expect(sameBits(vectors.read()[0]!, once[0]!)).toBe(false);
  });
});

describe('an update that stopped at any instruction', () => {
  const BLOCKS = 5;
  const length = (BLOCKS - 1) * UPDATE_CHUNK + 80;

  it.each([ADAM, MOMENTUM])('goes on to the same bits: $kind', (optimizer) => {
    const vectors = updateArena(length, 3);
    const { words, staged } = updateLogOf(vectors);
    const firstPage = new Uint8Array(vectors.arena.memory.buffer, 0, 65536); // A missing vector would be here.
    const moments = optimizer.kind === 'adam' ? [0, 1, 2] : [0, 1];
    const anyBlock = fc.nat(BLOCKS - 1);
    // The part of the block that has been copied: nothing is staged yet, or this number of floats of its vectors, one
    // after the other.
    const copied = fc.option(fc.nat(3 * UPDATE_CHUNK));
    fc.assert(
      fc.property(anyBlock, copied, fc.nat(), (k, floatsCopied, seed) => {
        vectors.randomise(seed);
        const before = vectors.read();
        words.fill(0);
        update(vectors.engine, taskOf(vectors, 9, optimizer));
        const after = vectors.read();

        vectors.write(before);
        for (const block of staged) block.fill(Number.NaN);
        for (const i of moments) {
          const vector = floats(vectors.arena, VECTORS[i]!, length);
          vector.set(after[i]!.subarray(0, k * UPDATE_CHUNK));
          const done = after[i]!.subarray(k * UPDATE_CHUNK, (k + 1) * UPDATE_CHUNK);
          staged[i]!.set(floatsCopied === null ? [] : done);
          const share = Math.min(Math.max((floatsCopied ?? 0) - i * UPDATE_CHUNK, 0), done.length);
          vector.set(done.subarray(0, share), k * UPDATE_CHUNK);
        }
        words.set([9, floatsCopied === null ? 2 * k : 2 * k + 1]);
        update(vectors.engine, taskOf(vectors, 9, optimizer));
        expectBits(vectors, after);
        expect(firstPage.every((byte) => byte === 0)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });
});

describe('an update with statistics behind the parameters', () => {
  const parameters = 2 * UPDATE_CHUNK + 48;
  const length = 4 * UPDATE_CHUNK + 16;

  it('subtracts their gradients, leaves what is before to the optimizer, and goes on wherever it stopped', () => {
    const vectors = updateArena(length, 1);
    const { words } = updateLogOf(vectors);
    const withStatistics = { ...taskOf(vectors, 5, ADAM), statistics: parameters };
    vectors.randomise(3);
    const before = vectors.read();
    update(vectors.engine, { ...taskOf(vectors, 5, ADAM), end: parameters });
    const optimized = vectors.read();
    vectors.write(before);
    words.fill(0);
    update(vectors.engine, withStatistics);
    const after = vectors.read();
    expect(sameBits(after[0]!.subarray(0, parameters), optimized[0]!.subarray(0, parameters))).toBe(true);
    const gradient = vectors.gradientBuffer(0);
    const moved = before[0]!.map((value, i) => value - gradient[i]!);
    expect(sameBits(after[0]!.subarray(parameters), moved.subarray(parameters))).toBe(true);

    update(vectors.engine, withStatistics);
    expectBits(vectors, after);
    // It is stopped between the passes, and after the first block of the statistics.
    vectors.write(optimized);
    words.set([5, 2 * 3]);
    update(vectors.engine, withStatistics);
    expectBits(vectors, after);
    vectors.write(after);
    floats(vectors.arena, 'parameters', length).set(
      before[0]!.subarray(parameters + UPDATE_CHUNK),
      parameters + UPDATE_CHUNK,
    );
    words.set([-5, 2 * 1]);
    update(vectors.engine, withStatistics);
    expectBits(vectors, after);
  });

  it('has the same bits in slices that end before, in and behind the boundary', () => {
    const vectors = updateArena(length, 1, 3);
    const task = { ...taskOf(vectors, 1, MOMENTUM), statistics: parameters };
    vectors.randomise(4);
    const before = vectors.read();
    update(vectors.engine, task);
    const after = vectors.read();
    vectors.write(before);
    const ends = [0, 2 * UPDATE_CHUNK, 3 * UPDATE_CHUNK, length];
    for (const slice of [0, 1, 2])
      update(vectors.engine, { ...task, update: 2, slice, start: ends[slice]!, end: ends[slice + 1]! });
    expectBits(vectors, after);
  });
});

describe('an update that fails in the middle of a block', () => {
  const BLOCKS = 4;
  const length = BLOCKS * UPDATE_CHUNK;
  const PAGES = 8;

  it.each([0, 1, 2, 3])('goes on to the same bits, though an earlier one was finished there (block %i)', (k) => {
    const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES, shared: true });
    const kernel = loadKernel(memory);
    const next = uniform(k);
    const place = (i: number) => 65536 + i * length * 4;
    const [p, m, v, gradient, updateLog] = [place(0), place(1), place(2), place(3), place(4)] as const;
    const vectors = [p, m, v].map((at) => new Float32Array(memory.buffer, at, length));
    const values = new Float32Array(memory.buffer, gradient, length).map(next);
    new Float32Array(memory.buffer, gradient, length).set(values);
    const adam = (gradientBuffers: number, id: number) =>
      kernel.adam(p, m, v, gradientBuffers, 0, 1, 0, length, 0.01, 0.9, 0.999, 1.5, 2.5, 1e-7, 1, 1, id, updateLog);
    adam(gradient, 1);
    const before = vectors.map((vector) => vector.slice());
    adam(gradient, 2);
    const after = vectors.map((vector) => vector.slice());

    vectors.forEach((vector, i) => {
      vector.set(before[i]!);
    });
    // The same gradient is at the very end of the memory, and its block k goes beyond it, so the kernel traps there.
    const there = k * UPDATE_CHUNK + 4;
    const hanging = memory.buffer.byteLength - there * 4;
    new Float32Array(memory.buffer, hanging, there).set(values.subarray(0, there));
    expect(() => adam(hanging, 3)).toThrow(WebAssembly.RuntimeError);
    adam(gradient, 3);
    vectors.forEach((vector, i) => {
      expect(sameBits(vector, after[i]!)).toBe(true);
    });
  });
});

describe('an update whose thread is ended in the middle of it', () => {
  // Imports what a worker thread runs, without the native library that an update does not need.
  const THREAD = `
    const { memory, shape, task, files } = require('node:worker_threads').workerData;
    Promise.all(files.map((file) => import(file))).then(([{ attachArena }, { loadKernel }, { update }]) =>
      update({ arena: attachArena(memory, shape), kernel: loadKernel(memory) }, task));`;
  const files = ['engine/arena.js', 'engine/kernel/kernel.js', 'models/update.js'].map(
    (file) => built(`src/${file}`).href,
  );
  const BLOCKS = 3000;
  const INTERRUPTIONS = 12;

  /** Ends the thread once it has passed `block`. Returns the number of blocks that it did. */
  async function endedAfter(block: number, vectors: UpdateArena, task: UpdateTask): Promise<number> {
    const { words } = updateLogOf(vectors);
    const { memory, shape } = vectors.arena;
    words.fill(0);
    const thread = new Worker(THREAD, { eval: true, workerData: { memory, shape, task, files } });
    const ended = once(thread, 'exit');
    await once(thread, 'online');
    const deadline = performance.now() + 10_000;
    while (Atomics.load(words, 1) <= 2 * block) {
      if (performance.now() > deadline) throw new Error('the thread has not begun in ten seconds');
    }
    void thread.terminate();
    await ended;
    return Atomics.load(words, 1) / 2;
  }

  it('goes on to the same bits', async () => {
    const vectors = updateArena(BLOCKS * UPDATE_CHUNK, 3);
    vectors.randomise(1);
    const before = vectors.read();
    const task = taskOf(vectors, 4, ADAM);
    update(vectors.engine, task);
    const after = vectors.read();
    const next = uniform(1);
    let interruptions = 0;
    for (let attempt = 0; interruptions < INTERRUPTIONS; attempt++) {
      expect(attempt, 'threads finish before they can be ended').toBeLessThan(5 * INTERRUPTIONS);
      vectors.write(before);
      const blocks = await endedAfter(Math.floor(next() * BLOCKS * 0.8), vectors, task);
      if (blocks === BLOCKS) continue;
      interruptions++;
      expect(sameBits(vectors.read()[0]!, after[0]!)).toBe(false);
      update(vectors.engine, task);
      expectBits(vectors, after);
    }
  });
});

describe('the average of the weights', () => {
  const AVERAGED = { ...ADAM, average: 0.75 };
  const averaged = (vectors: UpdateArena) => floats(vectors.arena, 'average', 3 * UPDATE_CHUNK);

  it('is decay * average + (1 - decay) * the new weights, which it leaves alone', () => {
    const [plain, vectors] = [updateArena(3 * UPDATE_CHUNK, 2), updateArena(3 * UPDATE_CHUNK, 2, 1, true)];
    for (const each of [plain, vectors]) each.randomise(1);
    const before = averaged(vectors).fill(0.5).slice();
    update(plain.engine, taskOf(plain, 1, ADAM));
    update(vectors.engine, taskOf(vectors, 1, AVERAGED));
    expectBits(vectors, plain.read());
    const [weights] = plain.read();
    const expected = before.map((value, i) => Math.fround(0.75 * value) + Math.fround(0.25 * weights![i]!));
    expect(sameBits(averaged(vectors).slice(), expected)).toBe(true);
  });

  it('is taken once by an update that is done twice, and by one whose worker died between the two passes', () => {
    const vectors = updateArena(3 * UPDATE_CHUNK, 2, 1, true);
    vectors.randomise(2);
    update(vectors.engine, taskOf(vectors, 1, ADAM)); // The worker came this far.
    update(vectors.engine, taskOf(vectors, 1, AVERAGED));
    const once = averaged(vectors).slice();
    expect(once.some((value) => value !== 0)).toBe(true);
    update(vectors.engine, taskOf(vectors, 1, AVERAGED));
    expect(sameBits(averaged(vectors).slice(), once)).toBe(true);
  });
});
