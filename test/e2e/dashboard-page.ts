// Opens pages of the dashboard as a user sees them: their address, what they show, and what their console says.
import type { Browser, Page } from 'playwright-core';
import { expect } from 'vitest';
import type { Running } from './command.js';

/** The patience of a test, because the machine may be busy. */
export const PATIENCE = { timeout: 120_000, interval: 100 };

/** Returns the address of the dashboard that a command prints. */
export async function urlOf({ child, says }: Running): Promise<string> {
  let text = '';
  child.stderr!.on('data', (part: string) => {
    text += part;
  });
  await says('dashboard: http://');
  await expect.poll(() => text, PATIENCE).toMatch(/dashboard: http:\S+/);
  return /dashboard: (http:\S+)/.exec(text)![1]!;
}

/**
 * Opens a page, and collects what its console says. The browser's own messages about a server that is away for a while
 * are left out.
 */
export async function open(
  browser: Browser,
  url: string,
  colorScheme: 'light' | 'dark' = 'light',
): Promise<{ page: Page; errors: string[] }> {
  const page = await browser.newPage({ colorScheme, viewport: { width: 1200, height: 900 } });
  const errors: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.text().includes('net::ERR_')) errors.push(message.text());
  });
  page.on('pageerror', (error) => errors.push(error.message));
  await page.goto(url);
  return { page, errors };
}

export const stepsDone = (page: Page): Promise<number> =>
  page
    .locator('progress')
    .evaluateAll((bars: HTMLProgressElement[]) => bars.reduce((sum, { value }) => sum + value, 0));
export const state = (page: Page): Promise<string | null> => page.locator('#state').textContent();
