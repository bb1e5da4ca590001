// Tests the dashboard of a reproduction, which shows all runs on one page, during the runs and afterwards.
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { folderOfFile } from '../folders.js';
import { artefact, browserOfFile } from './browser.js';
import { start } from './command.js';
import { open, PATIENCE, state, stepsDone, urlOf } from './dashboard-page.js';

const root = folderOfFile('dashboard');
const browserOr = browserOfFile();

describe('the dashboard', () => {
  it('is one page for all runs of a reproduction, live and from its directory', async ({ skip }) => {
    const browser = browserOr(skip);
    const out = join(root, 'reproduction');
    const options = ['--scenarios', 'nn,pl', '--splits', '2', '--hidden', '64', '--max-steps', '100'];
    // The stall is in the first run of each split.
    const run = start(['reproduce', ...options, '--dashboard', '0', '--stall-worker', '5', '--out', out]);
    const url = await urlOf(run);
    const { page, errors } = await open(browser, url);
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
    await expect.poll(() => stepsDone(page), PATIENCE).toBe(5);

    run.child.kill('SIGCONT');
    await expect.poll(title, PATIENCE).toMatch(/^NN, split 2,/);
    expect(await state(page)).toBe('training');
    expect(await caption()).toContain('2 of 4 runs have ended');
    await expect.poll(() => stepsDone(page), PATIENCE).toBe(5);
    await page.screenshot({ path: artefact('dashboard-reproduction.png'), fullPage: true });
    const other = await open(browser, url);
    await other.page.getByRole('link', { name: 'DropNN+PL, Split 1' }).click();
    await expect.poll(() => other.page.locator('#name').textContent(), PATIENCE).toBe('Run split-1/pl:');
    await expect.poll(() => state(other.page), PATIENCE).toBe('ended');
    expect(await stepsDone(other.page)).toBe(100);
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
    const after = await open(browser, await urlOf(served), 'dark');
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
});
