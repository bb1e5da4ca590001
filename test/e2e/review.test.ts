// Tests the loop of labelling, reviewing, correcting and training again, as a user does it with a browser.
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Page } from 'playwright-core';
import { expect, it } from 'vitest';
import { folderOfFile } from '../folders.js';
import { writeIdx } from '../write-idx.js';
import { artefact, browserOfFile } from './browser.js';
import { expectError, pseudolabel } from './command.js';

const root = folderOfFile('review');
const browserOr = browserOfFile();
const COUNT = 40;

/** Writes images of 4 x 4 pixels that are bright in their upper or lower half. The first ten have a label. */
async function writeSet(folder: string): Promise<void> {
  await mkdir(folder);
  const images = new Uint8Array(16 * COUNT);
  const labels = new Uint8Array(COUNT).fill(255);
  for (let image = 0; image < COUNT; image++) {
    images.fill(200, 16 * image + 8 * (image % 2), 16 * image + 8 * (image % 2) + 8);
    if (image < 10) labels[image] = image % 2;
  }
  await writeIdx(join(folder, 'train-images-idx3-ubyte'), [COUNT, 4, 4], images);
  await writeIdx(join(folder, 'train-labels-idx1-ubyte'), [COUNT], labels);
}

async function downloaded(page: Page): Promise<string[]> {
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('#download')]);
  expect(download.suggestedFilename()).toBe('corrected.csv');
  const path = join(root, 'corrected.csv');
  await download.saveAs(path);
  return (await readFile(path, 'utf8')).trimEnd().split('\n');
}

it('corrections are made by keys or mouse, kept over a reload, and downloaded as labels that train reads', async ({
  skip,
}) => {
  const browser = browserOr(skip);
  const [data, run] = [join(root, 'data'), join(root, 'run')];
  await writeSet(data);
  const size = ['--hidden', '16', '--workers', '1', '--shards', '1', '--max-steps', '20'];
  await pseudolabel('train', '--data', data, ...size, '--out', run);
  const ended = await pseudolabel('label', run, '--out', join(root, 'all.csv'), '--review', '7', '--json', '-');
  expect(ended.exit, ended.stderr).toBe(0);
  const { review } = JSON.parse(ended.stdout) as { review: string };
  expect(review).toBe(join(root, 'all-review.html'));

  for (const [name, colorScheme, width] of [
    ['light', 'light', 1200],
    ['dark', 'dark', 1200],
    ['telephone', 'light', 390],
  ] as const) {
    const context = await browser.newContext({ colorScheme, viewport: { width, height: 900 }, offline: true });
    const page = await context.newPage();
    const said: string[] = [];
    page.on('console', (message) => said.push(message.text()));
    page.on('pageerror', (error) => said.push(error.message));
    await page.goto(pathToFileURL(review).href);
    const cards = page.locator('fieldset');
    expect(await cards.count()).toBe(7);
    const ids = await page.locator('legend').allTextContents();
    for (const id of ids) expect(Number(id)).toBeGreaterThanOrEqual(10);

    // The first card takes keys at once. Keys outside of all cards are for the first card without a decision.
    for (const key of ['1', '0', 'Backspace', '1']) await page.keyboard.press(key);
    await page.evaluate(() => (document.activeElement as HTMLElement).blur());
    await page.keyboard.press('Enter');
    await cards.nth(5).locator('legend').click();
    expect(await cards.nth(5).evaluate((card) => card.contains(document.activeElement))).toBe(true);
    await cards.nth(4).getByText('0', { exact: true }).click();
    expect(await page.textContent('#state')).toBe('4 of 7 decided');
    await page.reload();
    expect(await page.textContent('#state')).toBe('4 of 7 decided');
    expect(await cards.nth(1).locator('input:checked').inputValue()).toBe('1');

    const lines = await downloaded(page);
    expect(lines.slice(0, 11)).toEqual(['index,label', ...Array.from({ length: 10 }, (_, i) => `${i},${i % 2}`)]);
    const guess = await cards.nth(2).locator('.guess input').inputValue();
    expect(lines.slice(11)).toEqual([`${ids[0]},1`, `${ids[1]},1`, `${ids[2]},${guess}`, `${ids[4]},0`]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
    await page.screenshot({ path: artefact(`review-${name}.png`), fullPage: true });
    expect(said).toEqual([]);
    await context.close();
  }

  // The model's labels may be written again, but replace no others.
  expect((await pseudolabel('label', run, '--out', join(root, 'all.csv'), '--review', '7')).exit).toBe(0);
  const replacing = await pseudolabel('label', run, '--out', join(root, 'corrected.csv'));
  expectError(replacing, 'E_USAGE');

  const again = await pseudolabel(
    ...['train', '--data', data, '--labels', join(root, 'corrected.csv'), ...size, '--out', join(root, 'again')],
  );
  expect(again.exit, again.stderr).toBe(0);
  expect(again.stderr).toContain('40 images, 14 of them labelled (all labels that there are)');
});
