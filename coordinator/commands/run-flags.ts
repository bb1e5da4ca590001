// Turns flags, a config file and a file of stages into the config of a run, and chooses its directory.
import { join } from 'node:path';
import { PseudolabelError } from '../../src/errors.js';
import { readJson, whyNotRead } from '../../src/files/read.js';
import { claimFolder } from '../../src/files/write.js';
import { flagOf } from '../../src/option-text.js';
import { normalise, optionsSchema, type RunConfig } from '../../src/training/config.js';
import { withAbsolutePaths } from '../runs/absolute-paths.js';
import { identityOf } from '../runs/identity.js';
import type { JsonTarget } from '../terminal/terminal.js';
import { withinLimits } from './number-flags.js';
import { usage } from './options.js';

/** Flags of one start of the program. They include some that are not options of the run (optionsSchema). */
export interface RunFlags extends Readonly<Record<string, unknown>> {
  readonly out?: string;
  readonly json?: JsonTarget;
  readonly config?: string;
  readonly resume?: string;
  readonly allowMixed?: boolean;
  readonly validateEvery?: number;
  readonly stages?: string;
}

/** Returns the complete config that the flags and their config file ask for. Throws E_CONFIG. */
export async function configFrom(flags: RunFlags): Promise<RunConfig> {
  const file = flags.config === undefined ? {} : await readConfigFile(flags.config);
  const stages = flags.stages === undefined ? {} : await stagesOf(flags.stages);
  return checked(normalise(withAbsolutePaths({ ...file, ...stages, ...schemaOptions(flags) })), flags);
}

/** Returns the config of a run that is resumed. Throws E_USAGE for flags that would make it another run. */
export function resumedConfig(saved: RunConfig, flags: RunFlags): RunConfig {
  const config = normalise(withAbsolutePaths({ ...saved, ...schemaOptions(flags) }));
  const [was, is] = [identityOf(saved), identityOf(config)];
  const changed = Object.keys(is).filter((key) => JSON.stringify(is[key]) !== JSON.stringify(was[key]));
  const refused = [...(['out', 'config', 'stages'] as const).filter((key) => flags[key] !== undefined), ...changed];
  if (refused.length > 0) {
    const names = refused.map(flagOf).join(', ');
    const fix = `leave out ${names}, or start a new run without --resume`;
    throw usage(`a run that is resumed cannot change ${names}`, fix);
  }
  return checked(config, flags);
}

/** Throws E_USAGE for a flag that the schema does not check. */
function checked(config: RunConfig, { validateEvery }: RunFlags): RunConfig {
  if (validateEvery === undefined) return config;
  if (!Number.isInteger(validateEvery) || validateEvery < 1)
    throw usage(`--validate-every ${validateEvery}`, 'give a number of steps, from 1');
  return config;
}

/** Returns the flags that are options of a run. */
function schemaOptions(flags: RunFlags): Record<string, unknown> {
  const given = Object.keys(optionsSchema.shape).filter((key) => key in flags && key !== 'stages');
  return withinLimits(Object.fromEntries(given.map((key) => [key, flags[key]])));
}

async function readConfigFile(path: string): Promise<Record<string, unknown>> {
  try {
    const options = await readJson(path);
    normalise(options);
    return options as Record<string, unknown>;
  } catch (cause) {
    const fix =
      'give a JSON object of options: {"scenario": "pl", "labelsPerClass": 10}; `pseudolabel train --help` lists them';
    throw new PseudolabelError('E_CONFIG', `${path}: ${whyNotRead(cause)}`, fix, {
      cause,
    });
  }
}

/** Makes the folder runs/<time>-<name>. If that exists, makes runs/<time>-<name>-2, -3 and so on. Throws E_OUTPUT. */
export async function newDirectory(name: string, now = new Date()): Promise<string> {
  const two = (number: number): string => String(number).padStart(2, '0');
  const day = [now.getFullYear(), two(now.getMonth() + 1), two(now.getDate())].join('-');
  const time = [now.getHours(), now.getMinutes(), now.getSeconds()].map(two).join('');
  const path = join('runs', `${day}-${time}-${name}`);
  for (let other = 1; ; other++) {
    const candidate = other === 1 ? path : `${path}-${other}`;
    if (await claimFolder(candidate)) return candidate;
  }
}

/** Returns the options in a file of stages: what `pseudolabel preset` prints, or only the list. Throws E_CONFIG. */
async function stagesOf(path: string): Promise<Record<string, unknown>> {
  const fix = 'give a file as `pseudolabel preset best` prints it, or the list of its stages';
  let given: unknown;
  try {
    given = await readJson(path);
  } catch (cause) {
    throw new PseudolabelError('E_CONFIG', `${path}: ${whyNotRead(cause)}`, fix, { cause });
  }
  const { stages, scenario } = (Array.isArray(given) ? { stages: given } : (given ?? {})) as Record<string, unknown>;
  if (stages === undefined) throw new PseudolabelError('E_CONFIG', `${path} has no stages`, fix);
  return { preset: 'custom', stages, ...(scenario === undefined ? {} : { scenario }) };
}
