// Owns the browser of tests: a real Chromium, that of the system, which Debian's package brings and root may install.
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, type TestContext } from 'vitest';
import { DEADLINE_MS, install } from './packages.js';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const OPEN_DEADLINE_MS = DEADLINE_MS + 100_000;
const WHY_SKIPPED = 'no Chromium here, and it could not be installed with apt-get as root';

/** Where screenshots go; git ignores it. */
const ARTEFACTS = fileURLToPath(new URL('../../test-artefacts', import.meta.url));

/** One for the tests of the file. What it returns gives it to a test, or skips the test where there is none and none can be installed. */
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
  // Chromium's sandbox refuses to run as root; what the tests open is our own.
  return chromium.launch({ executablePath, chromiumSandbox: process.getuid?.() !== 0 });
}

function installed(): string | undefined {
  return install('chromium') ? PLACES.find((path) => existsSync(path)) : undefined;
}

export function artefact(name: string): string {
  mkdirSync(ARTEFACTS, { recursive: true });
  return join(ARTEFACTS, name);
}
