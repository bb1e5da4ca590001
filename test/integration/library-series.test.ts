// Tests several runs of a program on the same workers, such as a sweep.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type EachOptions, listen, type TrainResult, train, trainAll } from '../../coordinator/library.js';
import { failureOf } from '../failure.js';
import { folderOfFile } from '../folders.js';
import { dataset, TINY } from './bars.js';

const folder = folderOfFile('library-series');

async function all(...given: Parameters<typeof trainAll>): Promise<TrainResult[]> {
  const results: TrainResult[] = [];
  for await (const run of trainAll(...given)) results.push(await run.result);
  return results;
}

it('runs of other numbers, seeds and networks have the bits that each has by itself, and tell their events from the first', async () => {
  const shared = { ...TINY, set: { 'finetune.rate.initial': 0.01 } };
  const each: EachOptions[] = [
    { seed: 1 },
    { seed: 2, hidden: 32 },
    { set: { 'finetune.threshold': 0.9 }, scenario: 'dae' },
  ];
  const shas: string[] = [];
  const kinds: string[][] = [];
  for await (const run of trainAll(shared, each)) {
    const seen: string[] = [];
    for await (const { kind } of run) seen.push(kind);
    kinds.push(seen.slice(0, 2));
    shas.push((await run.result).weightsSha256);
  }
  expect(kinds).toEqual(each.map(() => ['start', 'stage']));
  for (const [index, own] of each.entries()) {
    const alone = await train({ ...shared, ...own, set: { ...shared.set, ...own.set } }).result;
    expect(shas[index]).toBe(alone.weightsSha256);
  }
});

it('whoever leaves the loop stops the run that is on, and goes on later: what had ended is read', async () => {
  const outs = ['1', '2'].map((name) => join(folder, name));
  let steps = 0;
  for await (const run of trainAll({ ...TINY, checkpointSeconds: 3600 }, [
    { out: outs[0]! },
    { out: outs[1]!, seed: 2, maxSteps: 5000 },
  ])) {
    if (steps === 0) for await (const { kind } of run) steps += Number(kind === 'step');
    else {
      for await (const { kind } of run) if (kind === 'step') break;
      break;
    }
  }
  expect(steps).toBe(12);
  const resumed = outs.map((resume, index) => ({ resume, ...(index === 0 ? {} : { seed: 2 }) }));
  const [first] = await all({ data: dataset, workers: 2 }, resumed.slice(0, 1));
  expect(first!.weightsSha256).toBe((await train(TINY).result).weightsSha256);
  const stop = new AbortController();
  const series = trainAll({ data: dataset, workers: 2, signal: stop.signal }, resumed);
  await (await series.next()).value!.result;
  const { value: second } = await series.next();
  for await (const event of second!)
    if (event.kind === 'stage') {
      expect(event.firstStep).toBeGreaterThan(0);
      break;
    }
  stop.abort();
  await expect(series.next()).rejects.toMatchObject({ code: 'E_INTERRUPTED' });
});

it('options are all looked at before anything is trained, and those that cannot share workers are refused by name', async () => {
  const out = join(folder, 'refused');
  await mkdir(out);
  const wrong: [EachOptions, string][] = [
    [{ hidden: 3 }, 'hidden'],
    [{ shards: 3 } as EachOptions, 'shards'],
    [{ validation: 4 } as EachOptions, 'validation'],
  ];
  for (const [own, name] of wrong) {
    const error = await failureOf(all(TINY, [{ out: join(out, 'none') }, own]), name);
    expect(error.code).toBe('E_CONFIG');
  }
  await failureOf(all({ ...TINY, data: join(folder, 'nowhere') }, [{}]), 'nowhere');
  expect(await all(TINY, [])).toEqual([]);
});

it('nodes may come to one run after another', async () => {
  const coordinator = await listen({ tokenFile: join(folder, 'token') });
  const results = await all({ ...TINY, coordinator }, [{ seed: 1 }, { seed: 2 }]);
  coordinator.close();
  const alone = await all(TINY, [{ seed: 1 }, { seed: 2 }]);
  expect(results.map(({ weightsSha256 }) => weightsSha256)).toEqual(alone.map(({ weightsSha256 }) => weightsSha256));
});
