// Whether the program was started so as to outlive its terminal. Node sets every signal to its default when it starts, also one that its parent
// had told the system to ignore, as nohup does for SIGHUP: nobody can ask the system any more, and what is left are traces.

import { fstatSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';

/** What can be seen of how a process was started. @typedef {import('./hangup.d.mts').Traces} Traces */

const SIGHUP_BIT = 1n; // signal 1 is the first bit of a mask
const O_WRONLY = 1;
const O_ACCMODE = 3;

/** @type {Traces} */
const HERE = { env: process.env, parent: process.ppid, read: (path) => readFileSync(path, 'utf8'), isNull };

/** @param {Traces} traces */
export function ignoresHangup(traces = HERE) {
  // A launcher of ours above this process has looked already.
  if (traces.env.PSEUDOLABEL_HANGUP !== undefined) return traces.env.PSEUDOLABEL_HANGUP === 'ignored';
  return wasNohup(traces) || parentIgnores(traces) || readsNothing(traces);
}

/** Shells leave the path of the program that they start in `_`, and nohup becomes the program that it starts. @param {Traces} traces */
const wasNohup = ({ env }) => basename(env._ ?? '') === 'nohup';

/** A script that ignores it (`trap '' HUP`, or nohup of a script) stays our parent. Only Linux tells. @param {Traces} traces */
function parentIgnores({ parent, read }) {
  try {
    const [, mask = '0'] = /^SigIgn:\s*([0-9a-f]+)$/m.exec(read(`/proc/${parent}/status`)) ?? [];
    return (BigInt(`0x${mask}`) & SIGHUP_BIT) !== 0n;
  } catch {
    return false;
  }
}

/** In place of a terminal, GNU's nohup gives its program an input that cannot be read: the null device, for writing. @param {Traces} traces */
function readsNothing({ read, isNull }) {
  try {
    const [, flags = '0'] = /^flags:\s*([0-7]+)$/m.exec(read('/proc/self/fdinfo/0')) ?? [];
    return (Number.parseInt(flags, 8) & O_ACCMODE) === O_WRONLY && isNull(0);
  } catch {
    return false;
  }
}

/** @param {number} descriptor */
function isNull(descriptor) {
  const status = fstatSync(descriptor);
  return status.isCharacterDevice() && status.rdev === 0x103; // Linux: major 1, minor 3
}
