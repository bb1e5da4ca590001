// The dashboard in a real browser, while a real training goes on.

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { artefact, OPEN_DEADLINE_MS, openBrowser, WHY_SKIPPED } from './browser.js';
import { interrupt, pseudolabel, type Running, start } from './command.js';

/** A machine that is busy with other things takes its time. */
const PATIENCE = { timeout: 120_000, interval: 100 };

let root: string;
let browser: Browser | undefined;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'pseudolabel-dashboard-'));
  browser = await openBrowser();
}, OPEN_DEADLINE_MS);
afterAll(async () => {
  await browser?.close();
  await rm(root, { recursive: true });
});

/** Where a command says that its dashboard is. */
async function urlOf({ child, says }: Running): Promise<string> {
  let text = '';
  child.stderr!.on('data', (part: string) => {
    text += part;
  });
  await says('dashboard: http://');
  await expect.poll(() => text, PATIENCE).toMatch(/dashboard: http:\S+/);
  return /dashboard: (http:\S+)/.exec(text)![1]!;
}

/** A page, and what its console says; that a server is gone for a while is the browser's own remark. */
async function open(url: string, colorScheme: 'light' | 'dark' = 'light'): Promise<{ page: Page; errors: string[] }> {
  const page = await browser!.newPage({ colorScheme, viewport: { width: 1200, height: 900 } });
  const errors: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.text().includes('net::ERR_')) errors.push(message.text());
  });
  page.on('pageerror', (error) => errors.push(error.message));
  await page.goto(url);
  return { page, errors };
}

const stepsDone = (page: Page): Promise<number> =>
  page
    .locator('progress')
    .evaluateAll((bars: HTMLProgressElement[]) => bars.reduce((sum, { value }) => sum + value, 0));
const state = (page: Page): Promise<string | null> => page.locator('#state').textContent();

describe('the dashboard', () => {
  it('shows a training live, is whole again after a reload, and after a coordinator that was killed and resumed', {
    timeout: 600_000,
  }, async ({ skip }) => {
    if (!browser) return skip(WHY_SKIPPED);
    const out = join(root, 'run');
    const options = ['--scenario', 'pl', '--hidden', '64', '--max-steps', '1000', '--checkpoint-every', '50'];
    const validation = ['--validation', '500', '--validate-every', '100'];
    const live = ['--dashboard', '0', '--stall-worker', '620'];
    const first = start(['train', ...options, ...validation, ...live, '--out', out]);
    const url = await urlOf(first);
    const { page, errors } = await open(url);

    await expect.poll(() => stepsDone(page), PATIENCE).toBe(620);
    expect(await state(page)).toBe('training');
    expect(await page.locator('#lanes tbody tr').count()).toBeGreaterThan(0);
    expect(
      await page.locator('figure:visible .u-wrap[role=img][aria-label^="Line chart. Loss: at step"]').count(),
    ).toBe(1);

    await page.reload();
    await expect.poll(() => stepsDone(page), PATIENCE).toBe(620);
    await expect.poll(() => page.locator('#labels tbody tr').count(), PATIENCE).toBe(10);
    await page.screenshot({ path: artefact('dashboard-live.png'), fullPage: true });

    first.child.kill('SIGKILL');
    await expect.poll(() => state(page), PATIENCE).toBe('connection lost, trying again');
    const { port } = new URL(url);
    const faults = ['--lose-worker', '5', '--lose-worker', '8', '--stall-worker', '30'];
    const second = start(['train', '--resume', out, '--dashboard', port, ...faults]);
    await expect.poll(() => state(page), PATIENCE).toBe('training');
    await expect.poll(() => stepsDone(page), PATIENCE).toBe(630); // 30 from its checkpoint, which is that of step 600
    const events = () => page.locator('#events').textContent();
    await expect.poll(events, PATIENCE).toMatch(/workers? lost: (its|their) work is done again/);

    second.child.kill('SIGCONT');
    await expect.poll(() => state(page), PATIENCE).toBe('ended');
    expect(await stepsDone(page)).toBe(1000);
    expect(await events()).toMatch(/ended: test accuracy \d\d\.\d\d %/);
    expect((await second.ended).exit).toBe(0);
    expect(errors).toEqual([]);

    const served = start(['report', out, '--serve']);
    const after = await open(await urlOf(served), 'dark');
    await expect.poll(() => state(after.page), PATIENCE).toBe('ended');
    expect(await stepsDone(after.page)).toBe(1000);
    await after.page.screenshot({ path: artefact('dashboard-after.png'), fullPage: true });
    await after.page.getByRole('link', { name: 'report' }).click();
    await expect.poll(() => after.page.title(), PATIENCE).toBe('DropNN+PL: report of a run');
    expect(after.errors).toEqual([]);
    served.child.kill('SIGINT');
    expect((await served.ended).exit).toBe(0);
  });

  it('shows what nodes do, and one that was killed as gone, with marks where it came and went', async ({ skip }) => {
    if (!browser) return skip(WHY_SKIPPED);
    const env = { XDG_STATE_HOME: join(root, 'state') };
    // Steps of full size, of which there are 4,500: minutes of them, on any machine.
    const options = ['--scenario', 'dae', '--workers', '1', '--shards', '4', '--seed', '3'];
    const listening = ['--listen', '127.0.0.1:0', '--token-file', join(root, 'token'), '--nodes', '1'];
    const run = start(['train', ...options, ...listening, '--dashboard', '0', '--out', join(root, 'nodes')], env);
    const line = await run.says('to join, on another machine: ');
    const joinFlags = line.split(': pseudolabel ')[1]!.split(' ');
    const url = urlOf(run);
    const worker = start([...joinFlags, '--workers', '1', '--name', 'far-away'], env);

    const { page, errors } = await open(await url);
    const node = page.locator('#nodes tbody tr', { hasText: 'far-away' });
    const now = () => node.locator('td').first().textContent();
    await expect.poll(now, PATIENCE).toMatch(/^(gradients|sums|update|labels|waiting)$/);
    await expect.poll(() => page.locator('#events').textContent(), PATIENCE).toContain('far-away joined with 1 worker');
    await expect.poll(() => page.locator('#nodes thead').textContent(), PATIENCE).toContain('gradients');
    expect(await page.locator('#marks').isVisible()).toBe(true);

    worker.child.kill('SIGKILL');
    await expect.poll(now, PATIENCE).toBe('gone');
    expect(await page.locator('#events').textContent()).toMatch(
      /far-away is gone \(E_\w+\): its work is done by others/,
    );
    const before = await stepsDone(page);
    await expect.poll(() => stepsDone(page), PATIENCE).toBeGreaterThan(before);
    await page.screenshot({ path: artefact('dashboard-nodes.png'), fullPage: true });
    expect(errors).toEqual([]);
    run.child.kill('SIGINT');
    expect((await run.ended).exit).toBe(130);
  });

  it('is one page for all runs of a reproduction, live and from its directory', async ({ skip }) => {
    if (!browser) return skip(WHY_SKIPPED);
    const out = join(root, 'reproduction');
    const options = ['--scenarios', 'nn,pl', '--splits', '2', '--hidden', '64', '--max-steps', '100'];
    // In the first run of each split.
    const run = start(['reproduce', ...options, '--dashboard', '0', '--stall-worker', '5', '--out', out]);
    const url = await urlOf(run);
    const { page, errors } = await open(url);
    const title = () => page.locator('#title').textContent();
    const caption = () => page.locator('#runs caption').textContent();
    await expect.poll(title, PATIENCE).toMatch(/^NN, split 1,/);
    await page.evaluate(() => {
      const state = document.getElementById('state')!;
      const states: (string | null)[] = [state.textContent];
      Object.assign(window, { states });
      new MutationObserver(() => states.push(state.textContent)).observe(state, { childList: true });
    });
    expect(await page.locator('#runs tbody tr').count()).toBe(2);
    expect(await page.locator('#runs a[aria-current]').textContent()).toBe('training');

    run.child.kill('SIGCONT');
    await expect.poll(title, PATIENCE).toMatch(/^NN, split 2,/);
    expect(await state(page)).toBe('training');
    expect(await caption()).toContain('2 of 4 runs have ended');
    await expect.poll(() => stepsDone(page), PATIENCE).toBe(5);
    await page.screenshot({ path: artefact('dashboard-reproduction.png'), fullPage: true });
    const other = await open(url);
    await other.page.getByRole('link', { name: 'DropNN+PL, Split 1' }).click();
    await expect.poll(() => state(other.page), PATIENCE).toBe('ended');
    expect([await other.page.locator('#name').textContent(), await stepsDone(other.page)]).toEqual([
      'Run split-1/pl:',
      100,
    ]);
    await other.page.getByRole('link', { name: 'Show the run that is on' }).click();
    await expect.poll(() => other.page.locator('#title').textContent(), PATIENCE).toMatch(/^NN, split 2,/);

    run.child.kill('SIGCONT');
    for (const each of [page, other.page]) await expect.poll(() => state(each), PATIENCE).toBe('ended');
    expect(await caption()).toContain('4 of 4 runs have ended');
    expect(await page.locator('#runs tbody').textContent()).toMatch(/^NN74\.1970\.03.*±.*DropNN\+PL83\.8572\.28.*±/);
    expect(await page.evaluate(() => (window as unknown as { states: string[] }).states)).toEqual([
      'training',
      'ended',
    ]);
    expect([errors, other.errors, (await run.ended).exit]).toEqual([[], [], 0]);

    const served = start(['report', out, '--serve']);
    const after = await open(await urlOf(served), 'dark');
    await expect.poll(() => after.page.locator('#name').textContent(), PATIENCE).toBe('Run split-2/pl:');
    await after.page.getByRole('link', { name: 'NN, Split 2' }).click();
    await expect.poll(() => after.page.locator('#name').textContent(), PATIENCE).toBe('Run split-2/nn:');
    await after.page.getByRole('link', { name: 'report', exact: true }).click();
    await expect.poll(() => after.page.title(), PATIENCE).toBe('NN: report of a run');
    await after.page.goBack();
    await after.page.getByRole('link', { name: 'The report of all runs' }).click();
    await expect.poll(() => after.page.title(), PATIENCE).toContain('reproduced');
    expect(after.errors).toEqual([]);
    served.child.kill('SIGINT');
    expect((await served.ended).exit).toBe(0);
  });

  it('asks who looks from elsewhere for the token, once', async ({ skip }) => {
    if (!browser) return skip(WHY_SKIPPED);
    const token = join(root, 'dashboard-token');
    const options = ['--scenario', 'pl', '--hidden', '64', '--stall-worker', '100', '--out', join(root, 'far')];
    const env = { XDG_STATE_HOME: join(root, 'state') };
    const run = start(['train', ...options, '--dashboard', '0.0.0.0:0', '--dashboard-token', token], env);
    const [, port] = /dashboard: https:\/\/\S+:(\d+)\//.exec(await run.says('dashboard: https://'))!;
    await run.says(`it asks for the token in ${token}`);
    // Its certificate is its own: what a person compares, this page takes as it is.
    const page = await browser.newPage({ ignoreHTTPSErrors: true });
    await page.goto(`https://127.0.0.1:${port}/`);
    await page.getByLabel('The token').fill('something else');
    await page.getByRole('button').click();
    await expect.poll(() => page.locator('form').textContent(), PATIENCE).toContain('That is not the token.');
    await page.getByLabel('The token').fill(await readFile(token, 'utf8'));
    await page.getByRole('button').click();
    await expect.poll(() => stepsDone(page), PATIENCE).toBeGreaterThan(0);
    await page.reload();
    await expect.poll(() => stepsDone(page), PATIENCE).toBeGreaterThan(0);
    await page.close();
    interrupt(run.child);
    expect((await run.ended).exit).toBe(130);
  });

  it('says which port is taken, and what to do', async () => {
    const folder = join(root, 'short');
    await pseudolabel('train', '--scenario', 'nn', '--hidden', '16', '--max-steps', '2', '--out', folder);
    const served = start(['report', folder, '--serve']);
    const { port } = new URL(await urlOf(served));
    const { exit, stderr } = await pseudolabel('report', folder, '--serve', port);
    expect(exit).toBe(2);
    expect(stderr).toMatch(/^error E_LISTEN: .+\n {2}fix: .+/m);
    served.child.kill('SIGTERM');
    await served.ended;
  });

  it('draws 2,000 steps and 16 workers within a frame', async ({ skip }) => {
    if (!browser) return skip(WHY_SKIPPED);
    // Only a page that stands still is measured here: how long its script takes for one redraw of everything.
    const { History } = await import('../../coordinator/dashboard/history.js');
    const { serve } = await import('../../coordinator/dashboard/server.js');
    const stages = [{ title: 'Fine-tuning', steps: 2500 }];
    const info = { name: 'big', title: 'Big', stages, hasReport: false };
    const workers = Array.from({ length: 16 }, (_, worker) => ({
      worker,
      shares: [
        ['forward', 0.4],
        ['backward', 0.4],
        ['update', 0.1],
      ] as (readonly [string, number])[],
    }));
    const history = new History(info, ['finetune'], [], { shares: () => workers });
    const step = (n: number) =>
      history.measured({
        ...{ kind: 'step', stage: 'finetune', step: n, labelledLoss: 1 / (n + 1), unlabelledLoss: 0.5 },
        ...{ alpha: 3, counted: 200, unlabelled: 256, rows: 288 },
      });
    for (let n = 0; n < 2000; n++) step(n);
    const server = await serve({ history, gauges: undefined, directory: root }, { host: '127.0.0.1', port: 0 });
    try {
      const { page } = await open(server.url);
      await expect.poll(() => stepsDone(page), PATIENCE).toBe(2000);
      expect(await page.locator('#lanes tbody tr').count()).toBe(16);
      await page.evaluate(() => {
        const frame = requestAnimationFrame;
        const times: number[] = [];
        Object.assign(window, { times });
        window.requestAnimationFrame = (draw) =>
          frame((now) => {
            const began = performance.now();
            draw(now);
            times.push(performance.now() - began);
          });
      });
      for (let n = 2000; n < 2040; n++) {
        step(n);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      await expect.poll(() => stepsDone(page), PATIENCE).toBe(2040);
      const times = await page.evaluate(() => (window as unknown as { times: number[] }).times);
      expect(times.length).toBeGreaterThan(3);
      // The quickest says what it takes where nobody else wants the processor.
      expect(Math.min(...times)).toBeLessThan(16);
    } finally {
      await server.close();
    }
  });
});
