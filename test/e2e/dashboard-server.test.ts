// Tests who may see the dashboard and from where, and that it draws as fast as a screen shows.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { folderOfFile } from '../folders.js';
import { browserOfFile } from './browser.js';
import { interrupt, pseudolabel, start } from './command.js';
import { open, PATIENCE, stepsDone, urlOf } from './dashboard-page.js';

const root = folderOfFile('dashboard');
const browserOr = browserOfFile();

describe('the dashboard', () => {
  it('asks who looks from elsewhere for the token, once', async ({ skip }) => {
    const browser = browserOr(skip);
    const token = join(root, 'dashboard-token');
    const options = ['--scenario', 'pl', '--hidden', '64', '--stall-worker', '100', '--out', join(root, 'far')];
    const env = { XDG_STATE_HOME: join(root, 'state') };
    const run = start(['train', ...options, '--dashboard', '0.0.0.0:0', '--dashboard-token', token], env);
    const [, port] = /dashboard: https:\/\/\S+:(\d+)\//.exec(await run.says('dashboard: https://'))!;
    await run.says(`it asks for the token in ${token}`);
    // The server's certificate is its own. A person would compare it; this page accepts it.
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

  it('draws 2,000 steps and 16 workers, once for all that comes within a frame', async ({ skip }) => {
    const browser = browserOr(skip);
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
        kind: 'step',
        stage: 'finetune',
        step: n,
        labelledLoss: 1 / (n + 1),
        unlabelledLoss: 0.5,
        alpha: 3,
        counted: 200,
        unlabelled: 256,
        rows: 288,
      });
    for (let n = 0; n < 2000; n++) step(n);
    const server = await serve({ history, gauges: undefined, directory: root }, { host: '127.0.0.1', port: 0 });
    try {
      const { page } = await open(browser, server.url);
      await expect.poll(() => stepsDone(page), PATIENCE).toBe(2000);
      expect(await page.locator('#lanes tbody tr').count()).toBe(16);
      await page.evaluate(() => {
        const frame = requestAnimationFrame;
        const frames = new Set<number>();
        const draws: number[] = [];
        Object.assign(window, { frames, draws });
        window.requestAnimationFrame = (draw) =>
          frame((now) => {
            frames.add(now);
            draws.push(now);
            draw(now);
          });
      });
      for (let n = 2000; n < 2500; n++) step(n);
      await expect.poll(() => stepsDone(page), PATIENCE).toBe(2500);
      const { frames, draws } = await page.evaluate(() => {
        const seen = window as unknown as { frames: Set<number>; draws: number[] };
        return { frames: seen.frames.size, draws: seen.draws.length };
      });
      expect(draws).toBeGreaterThan(0);
      expect(draws).toBe(frames);
    } finally {
      await server.close();
    }
  });
});
