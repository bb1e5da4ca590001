// Installs Debian packages that tests need, if it runs as root.
import { spawnSync } from 'node:child_process';

const UPDATE_DEADLINE_MS = 60_000;
const INSTALL_DEADLINE_MS = 240_000;
/** The deadline of a hook that installs. */
export const DEADLINE_MS = UPDATE_DEADLINE_MS + INSTALL_DEADLINE_MS;

/** The lock by which several test files install one after another. */
const ONE_AT_A_TIME = ['/tmp/pseudolabel-test-apt.lock', 'apt-get'];

/** Installs a package. Returns whether it could be tried. */
export function install(name: string): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  spawnSync('flock', [...ONE_AT_A_TIME, 'update', '-qq'], { env, timeout: UPDATE_DEADLINE_MS });
  const wait = ['-o', `DPkg::Lock::Timeout=${INSTALL_DEADLINE_MS / 1000}`];
  const arguments_ = [...ONE_AT_A_TIME, ...wait, 'install', '-y', '-qq', '--no-install-recommends', name];
  spawnSync('flock', arguments_, { env, timeout: INSTALL_DEADLINE_MS });
  return true;
}
