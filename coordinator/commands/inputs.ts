// Checks the files and folders that a command reads, before it begins: whether they exist, are of the kind that the
// command takes, and are complete. If it is another folder of this program, the error names the right folder or
// command.
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { type ErrorCode, PseudolabelError } from '../../src/errors.js';
import { readJson, whyNotRead } from '../../src/files/read.js';
import { KERAS_EXTENSION } from '../../src/models/keras-file.js';
import { loadReproduction, runsOf } from '../runs/reproduction.js';
import type { Invocation } from './invocation.js';
import { type Context, usage } from './options.js';
import { isOutput } from './output-paths.js';

/** The kinds of what may be at a path. */
type Found = 'file' | 'run' | 'reproduction' | 'sweep' | 'scaling' | 'model' | 'folder';

interface Wanted {
  readonly takes: readonly Found[];
  readonly code: ErrorCode;
  /** The fix if no better one is known. */
  readonly give: string;
  /** The file is made if it is missing. */
  readonly mayBeMissing?: true;
}

const wanted = (takes: readonly Found[], code: ErrorCode, give: string): Wanted => ({ takes, code, give });
const aFile = (code: ErrorCode, give: string): Wanted => wanted(['file'], code, give);

const DATA = wanted(
  ['run', 'reproduction', 'sweep', 'scaling', 'model', 'folder', 'file'],
  'E_DATA_MISSING',
  'give the folder or the file that holds the images',
);
const MODEL = wanted(
  ['run', 'model'],
  'E_MODEL',
  'give the folder of a saved model, or the directory of a run that has ended',
);
const REPORTED = wanted(
  ['run', 'reproduction', 'sweep', 'scaling'],
  'E_REPORT',
  'give the --out folder of `pseudolabel train`, `reproduce`, `sweep` or `scaling`',
);
const RUN = wanted(['run'], 'E_REPORT', 'give directories of runs');
const EARLIER = wanted(['run', 'file'], 'E_CHECKPOINT_MISSING', 'give the --out folder of an earlier run');
const EARLIER_REPRODUCTION = wanted(
  ['reproduction'],
  'E_CHECKPOINT_MISSING',
  'give the --out folder of an earlier `pseudolabel reproduce`',
);
const OPTIONS = aFile('E_CONFIG', 'give a JSON file of options');
const EARLIER_SWEEP = wanted(
  ['sweep'],
  'E_CHECKPOINT_MISSING',
  'give the --out folder of an earlier `pseudolabel sweep`',
);
const STAGES = aFile('E_CONFIG', 'give a JSON file of stages, as `pseudolabel preset` prints it');
const IMAGES = aFile('E_DATA_MISSING', 'give an IDX file of images');
const HOSTS = aFile('E_USAGE', "give mpirun's list of machines");
const SECRET = aFile('E_SECRET_FILE', "give the path of the coordinator's file");
const OWN_TOKEN: Wanted = { ...SECRET, mayBeMissing: true };
const PEM = aFile('E_SECRET_FILE', 'give a PEM file');

const LABELS = aFile('E_DATA_MISSING', 'give a CSV or TSV file of labels');

const OF_CONFIGS = { data: DATA, labels: LABELS, config: OPTIONS } as const;
const OF_RUNS = { ...OF_CONFIGS, dashboardToken: OWN_TOKEN, certificate: PEM, key: PEM } as const;

/** For each command, its options that name something to read. 'argument' stands for its arguments. */
export const INPUTS: Readonly<Record<string, Readonly<Record<string, Wanted>>>> = {
  train: { ...OF_RUNS, stages: STAGES, start: MODEL, resume: EARLIER, tokenFile: OWN_TOKEN },
  reproduce: { ...OF_RUNS, resume: EARLIER_REPRODUCTION },
  sweep: { ...OF_CONFIGS, stages: STAGES, start: MODEL, resume: EARLIER_SWEEP },
  preset: { data: DATA, labels: LABELS },
  worker: { tokenFile: SECRET },
  status: { tokenFile: SECRET },
  evaluate: { argument: MODEL, data: DATA, labels: LABELS },
  export: { argument: MODEL },
  label: { argument: MODEL, data: DATA, labels: LABELS, images: IMAGES },
  data: { argument: DATA, labels: LABELS },
  pack: { argument: DATA, labels: LABELS },
  report: { argument: REPORTED },
  compare: { argument: RUN },
  scaling: { data: DATA, labels: LABELS, hostfile: HOSTS },
};

const TAKES_PATH = /[<[](file|dir|path)[>\]]/;

/** Throws E_USAGE for an empty path. Runs before options are compared. */
export function checkNames(command: Command): void {
  const values: Readonly<Record<string, unknown>> = command.opts();
  const empty = command.options.find((each) => TAKES_PATH.test(each.flags) && values[each.attributeName()] === '');
  if (empty) throw usage(`${empty.long} is empty`, 'give a path, or leave it out');
  const argument = command.registeredArguments.find((_, i) => command.args[i] === '');
  if (argument) throw usage(`<${argument.name()}> is empty`, 'give a path');
}

/** Throws an error with the code of the input that is wrong. */
export async function checkInputs(command: Command, { invocation }: Context): Promise<void> {
  const values: Readonly<Record<string, unknown>> = command.opts();
  for (const [name, wanted] of Object.entries(INPUTS[command.name()] ?? {})) {
    const paths = name === 'argument' ? command.args.filter((_, i) => !isOutput(command, i)) : [values[name]];
    for (const path of paths) if (typeof path === 'string') await checkInput(path, wanted, invocation);
  }
}

async function checkInput(path: string, wanted: Wanted, invocation: Invocation): Promise<void> {
  const wrong = (what: string, fix: string = wanted.give) => new PseudolabelError(wanted.code, `${path} ${what}`, fix);
  let found: Found;
  try {
    found = await kindOf(path);
    await access(path, constants.R_OK);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' && wanted.mayBeMissing) return;
    throw new PseudolabelError(wanted.code, `${path} cannot be read: ${whyNotRead(cause)}`, wanted.give, { cause });
  }
  if (wanted === MODEL && found === 'file' && path.endsWith(KERAS_EXTENSION))
    throw wrong('is a .keras file, from which `pseudolabel train --model` trains');
  if (!wanted.takes.includes(found))
    throw wrong(whatItIs(found, wanted), await betterOf(path, found, wanted, invocation));
  if (wanted === EARLIER && found === 'file' && !(await isThere(join(dirname(dirname(resolve(path))), 'config.json'))))
    throw wrong('is a file, and no checkpoint of a run', EARLIER.give);
  if (wanted === MODEL && found === 'run' && !(await isThere(join(path, 'model', 'model.json'))))
    throw wrong(
      'is a run that has no model yet',
      `let it come to its end: ${invocation.line(['train', '--resume', path])}`,
    );
  const [record] = RECORDS.find(([, kind]) => kind === found) ?? [];
  if (record !== undefined && wanted !== DATA) await checkJson(join(path, record), wanted);
}

/** Says what is at a path. A folder of no known kind mostly holds images, so it is described by what it is not. */
function whatItIs(found: Found, { takes }: Wanted): string {
  if (found !== 'folder') return WHAT_IT_IS[found];
  if (takes.includes('model')) return 'is neither a run nor a saved model';
  return takes.length === 1 && takes[0] === 'file'
    ? 'is a folder, where a file is needed'
    : `is no ${takes.filter((each) => each !== 'file').join(', ')}`;
}

const WHAT_IT_IS: Readonly<Record<Exclude<Found, 'folder'>, string>> = {
  file: 'is a file, where a folder is needed',
  run: 'is a run',
  reproduction: 'is a reproduction, which consists of several runs',
  sweep: 'is a sweep, which consists of several runs',
  scaling: 'is a scaling measurement',
  model: 'is the folder of a model',
};

/** The file that shows what a folder is. The order matters, because a run directory has a model too. */
const RECORDS = [
  ['config.json', 'run'],
  ['reproduction.json', 'reproduction'],
  ['sweep.json', 'sweep'],
  ['scaling.json', 'scaling'],
  ['model.json', 'model'],
  ['model/model.json', 'model'],
] as const;

async function kindOf(path: string): Promise<Found> {
  if (!(await stat(path)).isDirectory()) return 'file';
  for (const [record, kind] of RECORDS) if (await isThere(join(path, record))) return kind;
  return 'folder';
}

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

/** Returns the fix for a path of another kind than the command takes. */
async function betterOf(path: string, found: Found, { takes, give }: Wanted, { line }: Invocation): Promise<string> {
  const takesRuns = takes.includes('run');
  if (takes === EARLIER.takes && found === 'reproduction')
    return `go on with: ${line(['reproduce', '--resume', path])}`;
  if (takes === EARLIER_REPRODUCTION.takes && found === 'run')
    return `go on with: ${line(['train', '--resume', path])}`;
  if (takesRuns && found === 'reproduction') {
    const runs = await runsIn(path);
    return runs.length > 0 ? `give ${takes.length === 1 ? 'its runs' : 'one of its runs'}: ${runs.join(' ')}` : give;
  }
  const parent = dirname(resolve(path));
  const isInside = found === 'model' || (found === 'file' && basename(path).endsWith('.json'));
  if (takesRuns && isInside && takes.includes(await kindOf(parent))) return `give ${dirname(path)}`;
  return give;
}

async function runsIn(folder: string): Promise<string[]> {
  const planned = runsOf(await loadReproduction(folder), folder).flat();
  const begun = await Promise.all(planned.map(({ path }) => isThere(join(path, 'config.json'))));
  return planned.flatMap(({ path }, each) => (begun[each] ? [path] : []));
}

/** Throws if a file that shows what a folder is cannot be read as such. */
async function checkJson(path: string, { code }: Wanted): Promise<void> {
  const fix = 'take the file from a copy, or begin anew';
  try {
    const value: unknown = await readJson(path);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return;
  } catch (cause) {
    if (!(cause instanceof SyntaxError))
      throw new PseudolabelError(code, `${path} cannot be read: ${whyNotRead(cause)}`, fix, { cause });
  }
  const damaged = code === 'E_CHECKPOINT_MISSING' ? 'E_CONFIG' : code;
  throw new PseudolabelError(damaged, `${path} is damaged: it is no JSON object`, fix);
}
