// The signals that stop the program, such as Ctrl-C (SIGINT).
import { PseudolabelError } from '../src/errors.js';

/**
 * The signals that stop the program. mpirun passes SIGUSR2 on at once and does not end the job; after SIGINT or SIGTERM
 * it gives the ranks about a second. SIGHUP comes when the terminal goes away. SIGBREAK exists on Windows only.
 */
const STOPPING = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2', 'SIGBREAK'] as const;

/**
 * One Ctrl-C may arrive several times: the terminal signals the whole process group, and the launcher and npm pass the
 * signal on. Signals within this time count as one.
 */
const ONE_REQUEST_MS = 2000;

/**
 * Returns a signal that aborts with E_INTERRUPTED at the first Ctrl-C, or other signal that stops the program: the work
 * then stops once everything is saved. The second one stops at once. note: tells the user.
 */
export function stopOnSignal(note: (text: string) => void): AbortSignal {
  const controller = new AbortController();
  let asked = 0;
  const stop = (name?: NodeJS.Signals): void => {
    const now = performance.now();
    if (controller.signal.aborted) {
      // The loss of the terminal is not a second Ctrl-C.
      if (now - asked > ONE_REQUEST_MS && name !== 'SIGHUP') process.exit(130);
      return;
    }
    asked = now;
    note('stopping; Ctrl-C again stops at once');
    controller.abort(new PseudolabelError('E_INTERRUPTED', 'stopped before it was done', 'start it again'));
  };
  // The launcher says whether the program outlives its terminal (hangup.mjs). Without a handler, SIGHUP ends Node.
  const outlives = process.env.PSEUDOLABEL_HANGUP === 'ignored';
  for (const name of STOPPING) process.on(name, name === 'SIGHUP' && outlives ? () => undefined : stop);
  // A disconnect means that the launcher was killed. Nobody else knows of this process, so it stops itself.
  process.on('disconnect', () => stop());
  process.channel?.unref();
  return controller.signal;
}
