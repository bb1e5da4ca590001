#!/usr/bin/env node
// The `pseudolabel` command. Sees that TensorFlow is in place and starts the command line in an environment that has to be
// complete before a process begins (./environment.mjs).

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { completed, isComplete } from './environment.mjs';
import { ignoresHangup } from './hangup.mjs';
import { killedLines } from './killed.mjs';
import { distReady } from './setup/dist.mjs';
import { nativeReady } from './setup/native.mjs';
import { NODE_TOO_OLD, nodeReady } from './setup/node-version.mjs';

/** @typedef {import('./killed.d.mts').GoesOn} GoesOn */

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
// By itself it does what is missing, and says so; the command line knows it for its help alone.
const isSetup = process.argv[2] === 'setup' && process.argv.length === 3;
if (isSetup || (!isDoctor && (!nativeReady() || !isBuilt))) {
  const { main, setUp } = await import('./setup/steps.mjs');
  await main(() => setUp(isSetup ? process.stdout : process.stderr));
  if (isSetup || process.exitCode) process.exit();
}
process.env.PSEUDOLABEL_HANGUP = ignoresHangup() ? 'ignored' : 'stops';
if (isComplete(process.env)) await import(cli.href);
else await startChild();

/** Runs the command line in a child and ends as it ends. */
async function startChild() {
  const { controlGroup } = await import('../dist/coordinator/commands/control-group.js');
  const { kills } = controlGroup(totalmem());
  const args = [...process.execArgv, fileURLToPath(cli), ...process.argv.slice(2)];
  // The channel ends when this process is killed, and the child with it.
  const child = spawn(process.execPath, args, {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: completed(process.env),
  });
  // A terminal tells the child by itself, and a second time makes no difference there. Whoever has only the number of this process tells it
  // alone. On Windows nobody can: a signal to the child would be its end.
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2', 'SIGBREAK'])) {
    process.on(signal, () => {
      if (process.platform !== 'win32') child.kill(signal);
    });
  }
  /** @type {GoesOn | undefined} */
  let goesOn;
  child.on('message', (message) => {
    goesOn = /** @type {GoesOn} */ (message);
  });
  child.on('error', (error) => {
    console.error(`pseudolabel: cannot start Node (${error.message})`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    const { limitBytes, kills: now } = controlGroup(totalmem());
    console.error(killedLines(signal, { isOutOfMemory: now > kills, limitBytes, goesOn }).join('\n'));
    process.exit(128 + constants.signals[signal]);
  });
}
