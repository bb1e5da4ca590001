// Tests reports as a user meets them: written by training, built again from a directory, opened from disk in a browser
// without a network.
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { folderOfFile } from '../folders.js';
import { artefact, browserOfFile } from './browser.js';
import { pseudolabel } from './command.js';

const root = folderOfFile('report');
const reproduction = join(root, 'reproduction');
const browserOr = browserOfFile();

beforeAll(async () => {
  const flags = ['--quick', '--hidden', '64', '--max-steps', '120', '--validation', '500', '--validate-every', '30'];
  const ended = await pseudolabel('reproduce', ...flags, '--out', reproduction);
  expect(ended.exit, ended.stderr).toBe(0);
});

describe('report.html', () => {
  it('is written for a reproduction and for each of its runs, with plots beside it, and built again the same', async () => {
    const dae = join(reproduction, 'dae');
    const before = await readFile(join(dae, 'report.html'), 'utf8');
    expect(await readdir(join(dae, 'plots'))).toEqual(
      [
        'finetune-alpha',
        'finetune-counted',
        'finetune-loss',
        'finetune-quality',
        'finetune-validation',
        'pretrain-loss',
      ].map((name) => `${name}.svg`),
    );
    const ended = await pseudolabel('report', dae, '--json', '-');
    expect(JSON.parse(ended.stdout)).toEqual({ directory: dae, report: join(dae, 'report.html') });
    const withoutIds = (page: string) => page.replace(/zr\d+-/g, '');
    expect(withoutIds(await readFile(join(dae, 'report.html'), 'utf8'))).toBe(withoutIds(before));
  });

  it('opens from disk in a browser that has no network, without an error, in light, in dark and on a telephone', async ({
    skip,
  }) => {
    const browser = browserOr(skip);
    for (const [name, colorScheme, width] of [
      ['light', 'light', 1200],
      ['dark', 'dark', 1200],
      ['telephone', 'light', 390],
    ] as const) {
      const context = await browser.newContext({ colorScheme, viewport: { width, height: 900 }, offline: true });
      const page = await context.newPage();
      const said: string[] = [];
      const asked: string[] = [];
      page.on('console', (message) => said.push(message.text()));
      page.on('pageerror', (error) => said.push(error.message));
      page.on('request', (request) => asked.push(request.url()));
      const url = pathToFileURL(join(reproduction, 'report.html')).href;
      await page.goto(url);
      expect(said).toEqual([]);
      expect(asked.filter((each) => !each.startsWith('data:'))).toEqual([url]);
      expect(await page.locator('tbody tr').first().locator('th').textContent()).toBe('NN');
      expect(await page.locator('svg').count()).toBeGreaterThanOrEqual(6);
      for (const picture of await page.locator('img').all()) {
        expect(await picture.evaluate((image: HTMLImageElement) => image.naturalWidth)).toBe(28);
      }
      // Wide tables have their own scroll bars, so the page does not scroll.
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
      const paper = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      expect(paper).toBe(colorScheme === 'dark' ? 'rgb(20, 23, 27)' : 'rgb(255, 255, 255)');
      await page.screenshot({ path: artefact(`report-${name}.png`), fullPage: true });
      await page.getByRole('link', { name: 'its report' }).last().click();
      await expect.poll(() => page.title()).toBe('DropNN+PL+DAE: report of a run');
      await context.close();
    }
  });

  it('is refused for what holds no run, and for a run whose files are damaged', async () => {
    const damaged = join(root, 'damaged');
    await mkdir(damaged);
    await writeFile(join(damaged, 'config.json'), '{"scenario": "pl"}');
    await writeFile(join(damaged, 'metrics.jsonl'), '{"kind": "step"}\n');
    const [none, broken] = await Promise.all([pseudolabel('report', root), pseudolabel('report', damaged)]);
    for (const { exit, stderr } of [none, broken]) {
      expect(exit).toBe(2);
      expect(stderr).toMatch(/^error E_REPORT: .+\n {2}fix: .+/m);
    }
    expect(broken.stderr).toContain('metrics.jsonl');
  });
});

describe('compare', () => {
  it('prints a row for each run and the options that differ, and writes a page', async () => {
    const out = join(root, 'compare.html');
    const runs = ['pl', 'dae'].map((scenario) => join(reproduction, scenario));
    const ended = await pseudolabel('compare', ...runs, '--out', out, '--json', '-');
    expect(ended.exit).toBe(0);
    const value = JSON.parse(ended.stdout) as { runs: { run: string; weightsSha256: string }[] };
    expect(value).toMatchObject({ differences: [{ option: 'scenario', values: ['"pl"', '"dae"'] }], page: out });
    const results = await Promise.all(
      runs.map(async (run) => JSON.parse(await readFile(join(run, 'result.json'), 'utf8'))),
    );
    expect(value.runs.map(({ weightsSha256 }) => weightsSha256)).toEqual(results.map((each) => each.weightsSha256));
    expect(ended.stderr).toMatch(/^pl +DropNN\+PL +best +1 +\d+\.\d\d % /m);
    expect(existsSync(out)).toBe(true);
    expect(await readFile(out, 'utf8')).toContain('Fine-tuning: pseudo-labels: Right');
  });
});
