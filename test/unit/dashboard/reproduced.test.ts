// Tests the page of a reproduction without a browser: its table, and what pages are told when one run follows another.
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { Dashboard } from '../../../coordinator/dashboard/dashboard.js';
import type { Everything } from '../../../coordinator/dashboard/messages.js';
import { nameWithin, Reproduced, serveRecorded } from '../../../coordinator/dashboard/recorded.js';
import { runsOf, saveReproduction } from '../../../coordinator/runs/reproduction.js';
import type { RunResult } from '../../../coordinator/runs/result.js';
import { normalise } from '../../../src/training/config.js';
import { folderOfTest } from '../../folders.js';

const REPRODUCTION = { config: normalise({ hidden: 64, workers: 1 }), scenarios: ['nn', 'pl'], splits: 2 } as const;

let folder: string;
beforeEach(() => {
  folder = folderOfTest('reproduced');
});

const resultOf = (scenario: 'nn' | 'pl', testAccuracy: number) => ({ scenario, testAccuracy }) as RunResult;

/** Returns all messages of a stream until it ends. */
async function told(stream: IncomingMessage): Promise<Everything[]> {
  let text = '';
  for await (const part of stream.setEncoding('utf8')) text += part;
  return [...text.matchAll(/^event: everything\ndata: (.*)$/gm)].map(([, data]) => JSON.parse(data!) as Everything);
}

it('one run follows another on the same page, whose table grows and whose state is that of all of them', async () => {
  const runs = await Reproduced.open(REPRODUCTION, folder);
  const names = runsOf(REPRODUCTION, folder).map((split) => split.map(({ path }) => nameWithin(folder, path)));
  expect(names).toEqual([
    ['split-1/nn', 'split-1/pl'],
    ['split-2/nn', 'split-2/pl'],
  ]);
  const dashboard = new Dashboard({ host: '127.0.0.1', port: 0 }, folder, runs);
  const begin = (name: string) =>
    dashboard.begins({ info: { name, title: name }, stages: [], maxSteps: 9, past: [], lostWorkers: () => 0 });
  await begin('split-1/nn');
  const [stream] = (await once(get(new URL('/events', dashboard.url)), 'response')) as [IncomingMessage];
  const messages = told(stream);
  dashboard.ends(resultOf('nn', 0.7));
  await begin('split-1/pl');
  expect((await fetch(new URL('/events?run=split-2/nn', dashboard.url))).status).toBe(404);
  dashboard.ends(resultOf('pl', 0.9));
  await begin('split-2/nn');
  dashboard.ends(resultOf('nn', 0.8));
  await dashboard.close();

  const [first, ...others] = await messages;
  const last = others.at(-1)!;
  expect(first).toMatchObject({ state: 'running', info: { name: 'split-1/nn' } });
  expect(first!.table!.rows.map(({ runs: ofRow }) => ofRow.map(({ state }) => state))).toEqual([
    ['running', 'waiting'],
    ['waiting', 'waiting'],
  ]);
  expect(last).toMatchObject({ state: 'ended', info: { name: 'split-2/nn' } });
  expect(last.table).toMatchObject({
    splits: ['Split 1', 'Split 2'],
    rows: [
      { name: 'NN', report: 70.03, ours: { accuracy: 75 }, runs: [{ accuracy: 0.7 }, { accuracy: 0.8 }] },
      { name: 'DropNN+PL', ours: { accuracy: 90 }, runs: [{ accuracy: 0.9 }, { state: 'waiting' }] },
    ],
  });
  // The events are those of all runs.
  expect(last.events.map(({ text }) => text)).toEqual(
    ['split-1/nn', 'split-1/pl', 'split-2/nn'].flatMap((name) => [
      `${name} begins`,
      expect.stringContaining(`${name} ended: test accuracy`),
    ]),
  );
});

it('has no published figures on other data, nor accuracies where there are no test images (cases 14 and 27)', async () => {
  const config = normalise({ hidden: 64, workers: 1, data: '/elsewhere' });
  const runs = await Reproduced.open({ ...REPRODUCTION, config }, folder);
  runs.ended('split-1/nn', resultOf('nn', 0.7));
  runs.ended('split-1/pl', { scenario: 'pl' } as RunResult);
  const [nn, pl] = runs.table.rows;
  expect(nn).toMatchObject({ name: 'NN', ours: { accuracy: 70 } });
  expect(pl).toMatchObject({ name: 'DropNN+PL', ours: undefined, runs: [{ state: 'ended' }, { state: 'waiting' }] });
  for (const row of [nn, pl]) {
    expect(row).not.toHaveProperty('paper');
    expect(row).not.toHaveProperty('report');
  }
});

it('what a reproduction left is served with the reports of its runs, and nothing else', async () => {
  await saveReproduction(folder, REPRODUCTION);
  await expect(serveRecorded(folder, 0)).rejects.toMatchObject({ code: 'E_REPORT' });
  const path = join(folder, 'split-1', 'nn');
  await mkdir(path, { recursive: true });
  await writeFile(join(path, 'config.json'), JSON.stringify({ ...REPRODUCTION.config, scenario: 'nn' }));
  for (const place of [path, join(folder, 'split-1'), folder]) await writeFile(join(place, 'report.html'), place);
  const server = await serveRecorded(folder, 0);
  try {
    const textOf = async (place: string) => {
      const response = await fetch(new URL(place, server.url));
      return response.ok ? response.text() : response.status;
    };
    expect(await textOf('/report.html')).toBe(folder);
    expect(await textOf('/split-1/nn/report.html')).toBe(path);
    expect(await textOf('/split-1/report.html')).toBe(404);
    expect(await textOf('/split-1%2Fnn/report.html')).toBe(404);
    const [stream] = (await once(get(new URL('/events', server.url)), 'response')) as [IncomingMessage];
    const messages = told(stream);
    await server.close();
    const [everything] = await messages;
    expect(everything).toMatchObject({ state: 'interrupted', info: { name: 'split-1/nn', title: 'NN, split 1' } });
    expect(everything!.table!.rows[0]!.runs.map(({ state }) => state)).toEqual(['stopped', 'waiting']);
  } finally {
    await server.close().catch(() => undefined);
  }
});

it('a directory without runs is said to be one that a dashboard cannot show', async () => {
  await expect(serveRecorded(folder, 0)).rejects.toMatchObject({
    code: 'E_USAGE',
    fix: expect.stringContaining('report.html'),
  });
});
