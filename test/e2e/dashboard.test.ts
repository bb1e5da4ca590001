// Tests the dashboard in a real browser during a real training.
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { folderOfFile } from '../folders.js';
import { artefact, browserOfFile } from './browser.js';
import { joinArgsIn, start } from './command.js';
import { open, PATIENCE, state, stepsDone, urlOf } from './dashboard-page.js';

const root = folderOfFile('dashboard');
const browserOr = browserOfFile();

describe('the dashboard', () => {
  it('shows a training live, is whole again after a reload, and after a coordinator that was killed and resumed', {
    timeout: 600_000,
  }, async ({ skip }) => {
    const browser = browserOr(skip);
    const out = join(root, 'run');
    const options = [
      '--scenario',
      'pl',
      '--hidden',
      '64',
      '--max-steps',
      '1000',
      '--checkpoint-every',
      '50',
      '--checkpoint-seconds',
      '0',
    ];
    const validation = ['--validation', '500', '--validate-every', '100'];
    const live = ['--dashboard', '0', '--stall-worker', '620'];
    const first = start(['train', ...options, ...validation, ...live, '--out', out]);
    const url = await urlOf(first);
    const { page, errors } = await open(browser, url);

    await expect.poll(() => stepsDone(page), PATIENCE).toBe(620);
    expect(await state(page)).toBe('training');
    expect(await page.locator('#lanes tbody tr').count()).toBeGreaterThan(0);
    expect(
      await page.locator('figure:visible .u-wrap[role=img][aria-label^="Line chart. Loss: at step"]').count(),
    ).toBe(1);

    await page.reload();
    await expect.poll(() => stepsDone(page), PATIENCE).toBe(620);
    await expect.poll(() => page.locator('#labels tbody tr').count(), PATIENCE).toBe(10);
    await expect.poll(() => page.locator('#unsure img').count(), PATIENCE).toBe(24);
    await page.screenshot({ path: artefact('dashboard-live.png'), fullPage: true });

    first.child.kill('SIGKILL');
    await expect.poll(() => state(page), PATIENCE).toBe('connection lost, trying again');
    const { port } = new URL(url);
    const faults = ['--lose-worker', '5', '--lose-worker', '8', '--stall-worker', '30'];
    const second = start(['train', '--resume', out, '--dashboard', port, ...faults]);
    await expect.poll(() => state(page), PATIENCE).toBe('training');
    await expect.poll(() => stepsDone(page), PATIENCE).toBe(630); // 30 steps from the checkpoint of step 600
    const events = () => page.locator('#events').textContent();
    await expect.poll(events, PATIENCE).toMatch(/workers? lost: (its|their) work is done again/);

    second.child.kill('SIGCONT');
    await expect.poll(() => state(page), PATIENCE).toBe('ended');
    expect(await stepsDone(page)).toBe(1000);
    expect(await events()).toMatch(/ended: test accuracy \d\d\.\d\d %/);
    expect((await second.ended).exit).toBe(0);
    expect(errors).toEqual([]);

    const served = start(['report', out, '--serve']);
    const after = await open(browser, await urlOf(served), 'dark');
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
    const browser = browserOr(skip);
    const env = { XDG_STATE_HOME: join(root, 'state') };
    // There are 4,500 steps of full size, which take minutes on any machine.
    const options = ['--scenario', 'dae', '--strategy', 'data', '--workers', '1', '--shards', '4', '--seed', '3'];
    const listening = ['--listen', '127.0.0.1:0', '--token-file', join(root, 'token'), '--nodes', '1'];
    const run = start(['train', ...options, ...listening, '--dashboard', '0', '--out', join(root, 'nodes')], env);
    const line = await run.says('to join, on this machine alone: ');
    const joinFlags = joinArgsIn(line);
    const url = urlOf(run);
    const worker = start([...joinFlags, '--workers', '1', '--name', 'far-away'], env);

    const { page, errors } = await open(browser, await url);
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
});
