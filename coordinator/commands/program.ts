// Builds the command-line program: its name, its version and its commands.
import { readFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import { rankOf } from '../../src/collectives/mpi.js';
import { built } from '../../src/files/read.js';
import { SERVER_TRANSPORT } from '../server/transport.js';
import { jsonLogger } from '../terminal/progress.js';
import type { Output, Terminal } from '../terminal/terminal.js';
import { addClean } from './clean.js';
import { addCompare } from './compare.js';
import { addCompletion } from './completion.js';
import { addData } from './data.js';
import { addDoctor } from './doctor.js';
import { addEvaluate } from './evaluate.js';
import { addExport } from './export.js';
import { addHelp } from './help-command.js';
import { GROUPED_HELP, group } from './help-format.js';
import { checkInputs, checkNames } from './inputs.js';
import { addLabel } from './label.js';
import { refuseIdle } from './option-rules.js';
import type { Context } from './options.js';
import { checkOutFolder, checkPaths, pathsOf } from './output-paths.js';
import { addPack } from './pack.js';
import { addPreset } from './preset.js';
import { addReport } from './report.js';
import { addReproduce } from './reproduce.js';
import { addScaling } from './scaling.js';
import { addSetup } from './setup.js';
import { addStatus } from './status.js';
import { addSweep } from './sweep.js';
import { addTrain } from './train.js';
import { addWorker } from './worker.js';

/** Throws for paths that a command cannot read or write. */
async function checkFiles(command: Command, context: Context): Promise<void> {
  await checkInputs(command, context);
  await checkOutFolder(command, context);
  await checkPaths(pathsOf(command));
}

/**
 * Builds the program. It throws a CommanderError for an invalid command line, and does not end the process.
 * @param check checks the paths of a valid command line before its command begins
 */
export function programOf(context: Context, check = checkFiles): Command {
  const { version } = JSON.parse(readFileSync(built('../package.json'), 'utf8')) as { version: string };
  const program = new Command('pseudolabel')
    .description('Train a classifier from few labels and many images, with pseudo-labels, on all cores.')
    .version(version)
    .configureHelp(GROUPED_HELP)
    .exitOverride()
    .configureOutput({ outputError: () => undefined });
  addReproduce(program, context);
  addSweep(program, context);
  for (const add of [addTrain, addWorker, addStatus]) add(program, context, SERVER_TRANSPORT);
  for (const add of [
    addPreset,
    addData,
    addEvaluate,
    addLabel,
    addExport,
    addPack,
    addReport,
    addCompare,
    addScaling,
    addDoctor,
    addSetup,
    addClean,
  ])
    add(program, context);
  for (const command of program.commands) command.addOption(logFormat());
  addCompletion(program, context);
  addHelp(program);
  group(program);
  return program.hook('preAction', async (_, command) => {
    if (command.opts().logFormat === 'json') logTo(context.terminal, process.stderr);
    // The launcher sets this variable (scripts/environment.mjs).
    const { PSEUDOLABEL_IGNORED: ignored } = process.env;
    if (ignored) context.terminal.note(`ignored, since it may change the bits of a run: ${ignored} in the environment`);
    // All ranks of a job get the same command line. Only the first one reports what is wrong with it.
    if (command.opts().collective === 'mpi' && (rankOf(process.env) ?? 0) > 0) return;
    checkNames(command);
    refuseIdle(command);
    await check(command, context);
  });
}

function logTo(terminal: Terminal, output: Output): void {
  const write = (text: string): void => {
    terminal.spoke();
    output.write(text);
  };
  terminal.log = jsonLogger({ write });
}

const logFormat = (): Option =>
  new Option('--log-format <format>', 'how notes and errors are written to stderr (text)').choices(['text', 'json']);
