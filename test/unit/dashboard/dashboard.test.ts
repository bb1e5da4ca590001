// Tests the dashboard of a run from its opening to its end, without a browser.
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { expect, it } from 'vitest';
import { Dashboard } from '../../../coordinator/dashboard/dashboard.js';
import type { RunResult } from '../../../coordinator/runs/result.js';
import { PseudolabelError } from '../../../src/errors.js';

const MEASURED = { kind: 'validation', stage: 'finetune', step: 1, accuracy: 0.5 } as const;

async function opened() {
  const dashboard = new Dashboard({ host: '127.0.0.1', port: 0 }, '/nowhere');
  const health = { lostWorkers: 0 };
  const listener = await dashboard.begins({
    info: { name: 'mine', title: 'Mine' },
    stages: [],
    maxSteps: 40,
    past: [],
    lostWorkers: () => health.lostWorkers,
  });
  const [stream] = (await once(get(new URL('/events', dashboard.url)), 'response')) as [IncomingMessage];
  /** Returns what a page that was there all the time was told, when the dashboard has ended. */
  const events = async (): Promise<string[]> => {
    let text = '';
    for await (const part of stream.setEncoding('utf8')) text += part;
    const messages = [...text.matchAll(/^data: (.*)$/gm)].map(
      ([, data]) => JSON.parse(data!) as { events: { text: string }[] },
    );
    return messages.flatMap((message) => message.events.map((event) => event.text));
  };
  return { dashboard, health, listener, events };
}

it('a dashboard tells of each worker that was lost, of those after the last measure too, before it tells the end', async () => {
  const { dashboard, health, listener, events } = await opened();
  health.lostWorkers = 2;
  listener.measured(MEASURED);
  listener.measured(MEASURED);
  health.lostWorkers = 3;
  dashboard.ends({ testAccuracy: 0.5 } as RunResult);
  await dashboard.close();
  expect(await events()).toEqual([
    '2 workers lost: their work is done again',
    '1 worker lost: its work is done again',
    'ended: test accuracy 50.00 %',
  ]);
});

it('a dashboard tells of workers that were lost before a run failed', async () => {
  const { dashboard, health, events } = await opened();
  health.lostWorkers = 4;
  await dashboard.fails(new PseudolabelError('E_WORKER_LOST', '4 workers ended in the same task', 'look'));
  expect(await events()).toEqual([
    '4 workers lost: their work is done again',
    expect.stringContaining('4 workers ended in the same task'),
  ]);
});
