// Tests the ranks of a job: the tree is the same for any number of ranks, and all ranks do the same step.
import { afterEach, describe, expect, it } from 'vitest';
import { sameBits } from '../bits.js';
import { CONTENT } from './executor.contract.js';
import { ADAM, FRESH, INITIAL, LENGTH, SHAPE, shardSteps, trainMixed } from './executor-work.js';
import { type Job, jobOf, of, type Rank } from './mpi-job.js';
import { oneThreadExecutor } from './one-thread-executor.js';

describe('the ranks of a job', () => {
  let job: Job | undefined;
  afterEach(async () => {
    await job?.end();
    job = undefined;
  });

  it('hold the same parameters and moments after every update', async () => {
    job = await jobOf(CONTENT, of(1, 1, 1));
    const { parameters, firstMoment, secondMoment } = await trainMixed(job.ranks);
    for (const node of job.nodes) {
      const found = await node.read(LENGTH);
      expect(sameBits(found.parameters, parameters)).toBe(true);
      expect(sameBits(found.firstMoment, firstMoment)).toBe(true);
      expect(sameBits(found.secondMoment, secondMoment)).toBe(true);
    }
  });

  it.each([[[3, 1]], [[1, 1, 1, 1, 1]]] as [[number, ...number[]]][])(
    'sum in the tree of the shards, whatever part of it each has (%j)',
    async (workers) => {
      const { parameters } = await trainMixed(oneThreadExecutor({ ...CONTENT, shape: { ...SHAPE, workspaces: 1 } }));
      job = await jobOf(CONTENT, of(...workers));
      expect(sameBits((await trainMixed(job.ranks)).parameters, parameters)).toBe(true);
    },
  );

  it('sum in another order where that is asked for, all with the same bits, close to those of the tree', async () => {
    const { parameters } = await trainMixed(oneThreadExecutor({ ...CONTENT, shape: { ...SHAPE, workspaces: 1 } }));
    job = await jobOf(CONTENT, of(1, 1, 1), { order: 'any' });
    const found = (await trainMixed(job.ranks)).parameters;
    expect(sameBits(found, parameters)).toBe(false);
    expect(found.reduce((most, value, i) => Math.max(most, Math.abs(value - parameters[i]!)), 0)).toBeLessThan(1e-2);
    for (const node of job.nodes) expect(sameBits((await node.read(LENGTH)).parameters, found)).toBe(true);
  });

  it.each(['tree', 'any'] as const)('make no update where the sum is not finite (%s)', async (order) => {
    job = await jobOf(CONTENT, of(1, 1), { order });
    job.ranks.write(INITIAL);
    const { update } = await job.ranks.gradients(shardSteps(1, FRESH));
    // The value is in the last part of the vector, which rank 1 sums.
    const { memory, regions } = job.nodes[0]!.arena;
    new Float32Array(memory.buffer, regions.gradientBuffers, LENGTH)[LENGTH - 2] = Number.POSITIVE_INFINITY;
    await expect(update(ADAM(1))).rejects.toMatchObject({ code: 'E_NOT_FINITE' });
    for (const node of job.nodes)
      expect(sameBits((await node.read(LENGTH)).parameters, INITIAL.parameters!)).toBe(true);
  });

  it('do not begin where one of them computes other bits, unless that is allowed', async () => {
    const mixed: [Rank, ...Rank[]] = [{ workers: 1 }, { workers: 1, fingerprint: 'of another machine' }];
    await expect(jobOf(CONTENT, mixed)).rejects.toMatchObject({
      code: 'E_NUMERICS',
      message: expect.stringContaining('rank 1'),
    });
    job = await jobOf(CONTENT, mixed, { allowMixed: true });
    expect(job.ranks.workers).toBe(2);
  });

  it('are stopped when the parameters of one of them drift', async () => {
    job = await jobOf(CONTENT, of(1, 1));
    const { ranks, nodes } = job;
    await trainMixed(ranks);
    const { memory, regions } = nodes[1]!.arena;
    new Float32Array(memory.buffer, regions.parameters, LENGTH)[5]! += 1;
    const step = async (t: number) => {
      const { update } = await ranks.gradients(shardSteps(t, undefined));
      await update(ADAM(t));
    };
    await step(7);
    await expect(step(8)).rejects.toMatchObject({ code: 'E_DRIFT', message: expect.stringContaining('rank 1') });
  });

  it('are told why one of them could not begin', async () => {
    const tooLarge = { ...CONTENT, shape: { ...SHAPE } };
    const huge: Rank = { workers: 100_000 }; // There is no memory for so many workspaces.
    await expect(jobOf(tooLarge, [{ workers: 1 }, huge])).rejects.toMatchObject({
      code: 'E_MEMORY',
      message: expect.stringContaining('rank 1'),
    });
  });
});
