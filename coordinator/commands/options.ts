// Defines the flags that several commands have. Their names and limits are those of src/training/config.ts.
import { type Command, InvalidArgumentError, Option } from 'commander';
import { AUGMENTATIONS } from '../../src/data/augmentation.js';
import { FORMATS } from '../../src/data/sources/sources.js';
import { PseudolabelError } from '../../src/errors.js';
import { settingParts, settingValue } from '../../src/option-text.js';
import { STRATEGIES } from '../../src/training/config.js';
import { ALL_PRESETS } from '../../src/training/presets/presets.js';
import { EFFORTS } from '../../src/training/presets/shared.js';
import { METHOD_CHOICES } from '../../src/training/presets/with-method.js';
import type { Settings } from '../../src/training/settings.js';
import type { Terminal } from '../terminal/terminal.js';
import type { Invocation } from './invocation.js';

/** What every command gets besides its flags. */
export interface Context {
  readonly terminal: Terminal;
  /** Aborts when the user wants to stop. */
  readonly signal: AbortSignal;
  /** How the program was called. */
  readonly invocation: Invocation;
  /** Tells the launcher the command line that resumes the run. The launcher prints it if this process is killed. */
  goesOn(folder: string, line: string): void;
}

/** Makes the error about a command line that cannot be followed. */
export const usage = (message: string, fix: string) => new PseudolabelError('E_USAGE', message, fix);

/** Adds the options of DATA_OPTIONS, which say how data is read. otherwise: the default of --data, for the help. */
export function addDataOptions(command: Command, otherwise = 'MNIST'): Command {
  return addReadingOptions(command.option('--data <path>', `folder or file of images (${otherwise})`));
}

/** Adds the same options without --data, for a command that takes the path as its argument. */
export function addReadingOptions(command: Command): Command {
  return command
    .addOption(new Option('--format <name>', 'what kind of data that is (recognised)').choices(FORMATS))
    .option('--labels <file>', 'CSV or TSV file of labels: file or index, and class')
    .option('--size <HxW>', 'resize all images, as 32x32')
    .option('--unlabelled <name>', 'folder within a folder of images whose images have no label (unlabelled)')
    .option('--follow-links', 'read what links lead to outside of the folder')
    .option('--skip-bad', 'leave out images that cannot be decoded')
    .option('--cache <dir>', "where decoded images are kept (the user's cache folder)");
}

/**
 * Adds the options of a run. presets: those that the command can train. otherwise: the default preset, for the help.
 */
export function addRunOptions(command: Command, presets: readonly string[] = ALL_PRESETS, otherwise = 'best'): Command {
  const choice = new Option('--preset <name>', `hyper-parameters (${otherwise})`).choices(presets);
  return addComputingOptions(addDataOptions(addTaskOptions(command.addOption(choice))));
}

function addTaskOptions(command: Command): Command {
  return command
    .option('--quick', "a trial: a sixth of the preset's steps")
    .option('--seed <n>', 'seed of all random numbers (1)', number)
    .addOption(new Option('--split <kind>', 'labelled images of each class (first)').choices(['first', 'random']))
    .option('--split-seed <n>', 'seed of a random split (1)', number)
    .option(
      '--labels-per-class <n>',
      'images of each class that keep their label where all have one, a benchmark that hides the others; or all (10; all, where some have none or a class has fewer)',
      labelsPerClass,
    )
    .option('--validation <n>', 'labelled images held out for tuning: their number, or a share as 0.2 (0)', number)
    .option('--validate-every <n>', 'steps between two looks at them (only at the end)', number);
}

function addComputingOptions(command: Command): Command {
  return command
    .option('--hidden <n>', 'hidden units (5000)', number)
    .option('--workers <n>', 'threads (one a core)', number)
    .option(
      '--shards <n>',
      'parts that a step is cut into; the result depends on it (8; 4 where gradients are summed, as in the preset modern)',
      number,
    )
    .addOption(
      new Option(
        '--strategy <name>',
        'cut a step into rows (data), into hidden units (tensor), or into hidden units where possible (auto) (auto)',
      ).choices(STRATEGIES),
    )
    .option('--max-steps <n>', 'end each stage after n steps', number)
    .option(
      '--refresh <when>',
      'new pseudo-labels: once, epoch, step, or every n steps (as the preset)',
      wholeOr('once', 'epoch', 'step'),
    )
    .option('--threshold <p>', 'pseudo-labels of less confidence do not count (as the preset)', number)
    .addOption(
      new Option(
        '--augment <name>',
        'change images at random when they are trained on (as the method: none, digits, mild or colour)',
      ).choices(Object.keys(AUGMENTATIONS)),
    )
    .option(
      '--class-shares <shares>',
      'what pseudo-labels are held to: auto, labelled, equal, estimate, off, or a share of each class: 0.6,0.3,0.1 (as the preset)',
      classShares,
    )
    .option('--checkpoint-every <n>', 'steps between two checkpoints (500)', number)
    .option('--checkpoint-seconds <s>', 'also after so many seconds; 0: by steps alone (45)', number)
    .option('--keep-checkpoints <n>', 'checkpoints that are kept (2)', number)
    .option('--out <dir>', 'run directory (runs/<time>-<name>)')
    .option('--json <file>', 'write the result as JSON; - for stdout')
    .option('--config <file>', 'JSON file of these options in camel case; flags win over it')
    .option('--resume <dir>', 'go on with an interrupted run where it was')
    .option(
      '--allow-mixed',
      'go on, and with nodes, where other bits are computed: the result then depends on who computed what',
    );
}

/** Adds the option for how unlabelled images teach. */
export const addMethodChoice = (command: Command): Command =>
  command.addOption(
    new Option('--method <name>', 'how unlabelled images teach, in the preset best (pseudo-label)').choices(
      METHOD_CHOICES,
    ),
  );

/** Adds the options for the network of a run. */
export const addModelChoice = (command: Command): Command =>
  command
    .option(
      '--model <name>',
      'dense:5000, dense:1024,512 and so on, convnet, a saved tf.LayersModel or a .keras file (dense; in the preset modern, convnet)',
    )
    .addOption(new Option('--effort <name>', 'how long the preset modern may take (normal)').choices(EFFORTS))
    .option(
      '--members <n>',
      'networks that are trained side by side and predict together (1; in the preset modern, 2, or 4 with --effort high)',
      number,
    )
    .option('--start <dir>', 'start from the weights of a saved model or of a run, whose network is trained')
    .option('--fresh', 'draw the weights of a saved model afresh');

export const addStagesOption = (command: Command): Command =>
  command.option(
    '--stages <file>',
    'JSON file of stages in place of a preset (pseudolabel preset prints those of one)',
  );

/** Adds the options for every number of a run. */
export const addNumberOptions = (command: Command): Command =>
  addStagesOption(command).option(
    '--set <name=value>',
    'one number of the stages, as finetune.rate.initial=3e-4; may be repeated',
    setting,
  );

/** Reads the number of labels of each class, or 'all'. */
export const labelsPerClass = (text: string): string | number => wholeOr('all')(text);

/** Reads a path and its value. */
function setting(text: string, before: Settings = {}): Settings {
  const parts = settingParts(text);
  if (!parts) throw new InvalidArgumentError('It has to be a path and a value, as finetune.rate.initial=3e-4.');
  return { ...before, [parts.path]: settingValue(parts.value) };
}

/** Adds the options of commands that connect to the coordinator of a run. */
export const addConnectionOptions = (command: Command): Command =>
  command
    .argument('<address>', 'HOST:PORT of its coordinator')
    .requiredOption('--token-file <file>', 'the token of the run')
    .option('--fingerprint <hex>', "SHA-256 of the coordinator's certificate")
    .option('--insecure', 'connect to another machine without TLS');

export interface ConnectionFlags {
  readonly tokenFile: string;
  readonly fingerprint?: string;
  readonly insecure?: boolean;
}

/** Reads a number of any size. The schema has the limits. */
export function number(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || Number.isNaN(value)) throw new InvalidArgumentError('It must be a number.');
  return value;
}

/** Reads a whole number from 1, for options without a schema. */
export function whole(text: string): number {
  const value = number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('It must be a whole number from 1.');
  return value;
}

/** Reads one of the words, or a whole number from 1. */
const wholeOr =
  (...words: readonly string[]) =>
  (text: string): string | number => {
    if (words.includes(text)) return text;
    const value = Number(text);
    if (Number.isInteger(value) && value >= 1) return value;
    throw new InvalidArgumentError(`It is ${words.join(', ')}, or a whole number from 1.`);
  };

/** Reads a name, or numbers. The schema checks them. */
const classShares = (text: string): string | number[] => (/[\d,]/.test(text) ? text.split(',').map(number) : text);
