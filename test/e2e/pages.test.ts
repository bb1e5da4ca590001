// Tests all pages in a real browser as users see them: at four widths, light and dark and on paper, by keyboard and for
// screen readers. The screenshots are among the test artefacts.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Page } from 'playwright-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { folderOfFile } from '../folders.js';
import { artefact, browserOfFile } from './browser.js';
import { pseudolabel, start } from './command.js';
import { PATIENCE, urlOf } from './dashboard-page.js';

const root = folderOfFile('pages');
const browserOr = browserOfFile();
const [reproduction, sweep, comparison] = ['reproduction', 'sweep', 'comparison.html'].map((name) =>
  join(root, name),
) as [string, string, string];

const SMALL = ['--hidden', '64', '--max-steps', '60', '--validation', '500'];

beforeAll(async () => {
  const runs = ['--scenarios', 'pl,dae', '--splits', '2', '--validate-every', '20', '--out', reproduction];
  const numbers = ['--set', 'finetune.threshold=0.7,0.9', '--seeds', '1,2', '--out', sweep];
  for (const args of [
    ['reproduce', ...SMALL, '--quick', ...runs],
    ['sweep', ...SMALL, ...numbers],
    ['compare', ...[1, 2].map((split) => join(reproduction, `split-${split}`, 'pl')), '--out', comparison],
  ]) {
    const ended = await pseudolabel(...args);
    expect(ended.exit, ended.stderr).toBe(0);
  }
});

const REPORTS = [
  ['reproduction', join(reproduction, 'report.html')],
  ['run', join(reproduction, 'split-1', 'dae', 'report.html')],
  ['sweep', join(sweep, 'report.html')],
  ['comparison', comparison],
] as const;

const LOOKS = [390, 820, 1280, 3840].flatMap((width) =>
  (['light', 'dark'] as const).map((colorScheme) => ({ width, colorScheme })),
);

interface Violation {
  readonly id: string;
  readonly impact: string | null;
  readonly nodes: readonly { readonly html: string }[];
}

/** Returns what axe-core finds serious. */
async function seriousIn(page: Page): Promise<string[]> {
  const source = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  await page.evaluate(source);
  const violations = (await page.evaluate(
    'axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) => violations)',
  )) as Violation[];
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(({ html }) => html.slice(0, 200))}`);
}

/** Expects that nothing is cut off. Content that is wider than the page has its own scroll bar. */
async function expectWhole(page: Page, width: number): Promise<void> {
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
}

describe.each(REPORTS)('the report of a %s', (name, path) => {
  it('is whole at four widths, light and dark, and has nothing that axe-core finds serious', {
    timeout: 300_000,
  }, async ({ skip }) => {
    const browser = browserOr(skip);
    for (const { width, colorScheme } of LOOKS) {
      const page = await browser.newPage({ colorScheme, viewport: { width, height: 900 } });
      await page.goto(pathToFileURL(path).href);
      await expectWhole(page, width);
      await page.evaluate(() => {
        for (const folded of document.querySelectorAll('details.folded')) folded.setAttribute('open', '');
      });
      await expectWhole(page, width);
      if (width === 390 || width === 1280) expect(await seriousIn(page), `${width} ${colorScheme}`).toEqual([]);
      await page.screenshot({ path: artefact(`page-${name}-${width}-${colorScheme}.png`), fullPage: width < 3840 });
      await page.close();
    }
  });

  it('shows each column of its tables on a narrow screen', async ({ skip }) => {
    const page = await browserOr(skip).newPage({ viewport: { width: 390, height: 900 } });
    await page.goto(pathToFileURL(path).href);
    const cut = await page.evaluate(() =>
      [...document.querySelectorAll('table')].flatMap((table) => {
        const folded = table.closest('details:not([open])');
        return !folded && table.getBoundingClientRect().right > innerWidth ? [table.caption?.textContent] : [];
      }),
    );
    expect(cut).toEqual([]);
    await page.close();
  });

  it('can be printed', async ({ skip }) => {
    const page = await browserOr(skip).newPage();
    await page.goto(pathToFileURL(path).href);
    const paper = await page.pdf({ path: artefact(`page-${name}.pdf`), format: 'A4' });
    expect(paper.length).toBeGreaterThan(10_000);
    await page.close();
  });
});

describe('the dashboard of what has ended', () => {
  it('is whole at four widths, light and dark, can be used by keyboard, and has nothing that axe-core finds serious', {
    timeout: 300_000,
  }, async ({ skip }) => {
    const browser = browserOr(skip);
    const served = start(['report', reproduction, '--serve']);
    const url = await urlOf(served);
    for (const { width, colorScheme } of LOOKS) {
      const page = await browser.newPage({ colorScheme, viewport: { width, height: 900 } });
      await page.goto(url);
      await expect.poll(() => page.locator('#labels tbody tr').count(), PATIENCE).toBe(10);
      await expectWhole(page, width);
      if (width === 390 || width === 1280) expect(await seriousIn(page), `${width} ${colorScheme}`).toEqual([]);
      await page.screenshot({ path: artefact(`page-dashboard-${width}-${colorScheme}.png`), fullPage: width < 3840 });
      await page.close();
    }
    const page = await browser.newPage();
    await page.goto(url);
    const facts = page.locator('#facts');
    await expect.poll(() => facts.textContent(), PATIENCE).toContain('Accuracy on test images');
    expect(await facts.textContent()).toMatch(/StageFine-tuning, 2 of 2Step120 of 120.*Ended.*\d{4}/);
    expect(await page.locator('#settings tbody tr', { hasText: 'rate.initial' }).count()).toBe(1);
    await page.keyboard.press('Tab');
    const focused = () => page.evaluate(() => document.activeElement?.textContent);
    expect(await focused()).toBe('report');
    for (let tabs = 0; tabs < 30 && (await focused()) !== 'The report of all runs'; tabs++)
      await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await expect.poll(() => page.title(), PATIENCE).toContain('reproduced');
    served.child.kill('SIGINT');
    expect((await served.ended).exit).toBe(0);
  });
});
