// What the launcher says of a command line that was killed, which can say nothing itself: by what, and how to go on.

import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** @typedef {import('./killed.d.mts').Circumstances} Circumstances */

/** Written by a run and by a reproduction when they begin. */
const BEGUN = ['config.json', 'reproduction.json'];

/** @param {NodeJS.Signals} signal @param {Circumstances} circumstances @returns {string[]} */
export function killedLines(signal, { isOutOfMemory, limitBytes, goesOn }) {
  const isBegun = goesOn !== undefined && BEGUN.some((name) => existsSync(join(goesOn.folder, name)));
  const again = isBegun ? `go on with: ${goesOn.line}` : 'start it again';
  const first = isOutOfMemory ? 'give it more memory, or use fewer --workers; then ' : '';
  return [`error: the process was ended ${reasonOf(signal, isOutOfMemory, limitBytes)}`, `  fix: ${first}${again}`];
}

/** @param {NodeJS.Signals} signal @param {boolean} isOutOfMemory @param {number | undefined} limitBytes */
function reasonOf(signal, isOutOfMemory, limitBytes) {
  const limit = limitBytes === undefined ? '' : ` of ${(limitBytes / 2 ** 30).toFixed(1)} GiB`;
  if (isOutOfMemory) return `by the system: the memory of its control group${limit} was not enough`;
  if (signal !== 'SIGKILL') return `by ${signal}`;
  return 'by SIGKILL: somebody sent it, or the system did, as it does when memory is short (dmesg says so)';
}
