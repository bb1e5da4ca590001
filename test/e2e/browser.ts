// A real Chromium for tests: the one of the system, which Debian's package brings and root may install.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium } from 'playwright-core';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const UPDATE_DEADLINE_MS = 60_000;
const INSTALL_DEADLINE_MS = 240_000;
/** Of a hook that opens a browser. */
export const OPEN_DEADLINE_MS = UPDATE_DEADLINE_MS + INSTALL_DEADLINE_MS + 100_000;

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
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return undefined;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  spawnSync('apt-get', ['update', '-qq'], { env, timeout: UPDATE_DEADLINE_MS });
  // Another test file may be at it: its lock is waited for.
  const wait = ['-o', `DPkg::Lock::Timeout=${INSTALL_DEADLINE_MS / 1000}`];
  const install = [...wait, 'install', '-y', '-qq', '--no-install-recommends', 'chromium'];
  spawnSync('apt-get', install, { env, timeout: INSTALL_DEADLINE_MS });
  return PLACES.find((path) => existsSync(path));
}

export function artefact(name: string): string {
  mkdirSync(ARTEFACTS, { recursive: true });
  return join(ARTEFACTS, name);
}
