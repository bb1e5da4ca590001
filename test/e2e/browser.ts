// A real Chromium for tests: the one of the system, which Debian's package brings and root may install.
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium } from 'playwright-core';
import { DEADLINE_MS, install } from './packages.js';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
/** Of a hook that opens a browser. */
export const OPEN_DEADLINE_MS = DEADLINE_MS + 100_000;

/** Where screenshots go; git ignores it. */
const ARTEFACTS = fileURLToPath(new URL('../../test-artefacts', import.meta.url));

/** undefined where there is none and none can be installed: the test says that it is skipped. */
export async function openBrowser(): Promise<Browser | undefined> {
  const executablePath = PLACES.find((path) => existsSync(path)) ?? installed();
  if (executablePath === undefined) return undefined;
  // Chromium's sandbox refuses to run as root; what the tests open is our own.
  return chromium.launch({ executablePath, chromiumSandbox: process.getuid?.() !== 0 });
}

export const WHY_SKIPPED = 'no Chromium here, and it could not be installed with apt-get as root';

function installed(): string | undefined {
  return install('chromium') ? PLACES.find((path) => existsSync(path)) : undefined;
}

export function artefact(name: string): string {
  mkdirSync(ARTEFACTS, { recursive: true });
  return join(ARTEFACTS, name);
}
