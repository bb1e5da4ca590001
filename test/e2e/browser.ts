// Opens a browser for tests: the Chromium of the system, which comes with Debian's package. Root may install it.
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, type TestContext } from 'vitest';
import { DEADLINE_MS, install } from './packages.js';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const OPEN_DEADLINE_MS = DEADLINE_MS + 100_000;
const WHY_SKIPPED = 'no Chromium here, and it could not be installed with apt-get as root';

/** The folder of screenshots. Git ignores it. */
const ARTEFACTS = fileURLToPath(new URL('../../test-artefacts', import.meta.url));

/**
 * Opens one browser for the tests of the file. Returns a function that gives the browser to a test, or skips the test
 * if there is none and none can be installed.
 */
export function browserOfFile(): (skip: TestContext['skip']) => Browser {
  let browser: Browser | undefined;
  beforeAll(async () => {
    browser = await openBrowser();
  }, OPEN_DEADLINE_MS);
  afterAll(() => browser?.close());
  return (skip) => browser ?? skip(WHY_SKIPPED);
}

async function openBrowser(): Promise<Browser | undefined> {
  const executablePath = PLACES.find((path) => existsSync(path)) ?? installed();
  if (executablePath === undefined) return undefined;
  // Chromium's sandbox refuses to run as root. The tests only open our own pages.
  return chromium.launch({ executablePath, chromiumSandbox: process.getuid?.() !== 0 });
}

function installed(): string | undefined {
  return install('chromium') ? PLACES.find((path) => existsSync(path)) : undefined;
}

export function artefact(name: string): string {
  mkdirSync(ARTEFACTS, { recursive: true });
  return join(ARTEFACTS, name);
}
