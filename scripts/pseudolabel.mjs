#!/usr/bin/env node
// The `pseudolabel` command. Sees that TensorFlow is in place and starts the command line in an environment that has to be
// complete before a process begins (./environment.mjs).

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { isatty } from 'node:tty';
import { fileURLToPath } from 'node:url';
import { completed, isComplete } from './environment.mjs';
import { distReady } from './setup/dist.mjs';
import { nativeReady } from './setup/native.mjs';
import { NODE_TOO_OLD, nodeReady } from './setup/node-version.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
// By it the command line knows how it was called, also in a child.
process.env.PSEUDOLABEL_LAUNCHER = process.argv[1];
const cli = new URL('../dist/coordinator/cli.js', import.meta.url);

// What follows would end in a SyntaxError there, for the doctor too.
if (!nodeReady()) {
  console.error(`pseudolabel: ${NODE_TOO_OLD}`);
  process.exit(1);
}
// An edit in src/ must not be answered by the build of before it. An installed package has no sources.
const isBuilt = existsSync(cli) && (!existsSync(new URL('../src', import.meta.url)) || distReady(root));
// The doctor has to see what is missing, not to wait for it.
const isDoctor = process.argv[2] === 'doctor' && existsSync(cli);
if (isDoctor && !isBuilt) console.error('pseudolabel: dist/ is older than the sources (npm run build)');
if (!isDoctor && (!nativeReady() || !isBuilt)) {
  const { main, setUp } = await import('./setup/steps.mjs');
  await main(() => setUp(process.stderr));
  if (process.exitCode) process.exit();
}
if (isComplete(process.env)) await import(cli.href);
else startChild();

/** Runs the command line in a child and ends as it ends. */
function startChild() {
  const args = [...process.execArgv, fileURLToPath(cli), ...process.argv.slice(2)];
  // Nothing is said over the channel: it ends when this process is killed, and the child with it.
  const child = spawn(process.execPath, args, {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: completed(process.env),
  });
  // Ctrl-C and a closing terminal reach the child by themselves; a second signal would read as impatience. Without a
  // terminal, or for SIGTERM and SIGUSR2, the signal came to this process alone. Either way the child decides when it is over.
  const hasTerminal = [0, 1, 2].some((descriptor) => isatty(descriptor));
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'])) {
    process.on(signal, () => {
      if (signal === 'SIGTERM' || signal === 'SIGUSR2' || !hasTerminal) child.kill(signal);
    });
  }
  child.on('error', (error) => {
    console.error(`pseudolabel: cannot start Node (${error.message})`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal ?? 'SIGKILL']));
}
