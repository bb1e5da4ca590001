// `pseudolabel train`: trains one run, new or resumed, from flags to result.
import { type Command, Option } from 'commander';
import type { Collective } from '../../src/collectives/collective.js';
import type { Dataset } from '../../src/data/dataset.js';
import type { Call } from '../../src/engine/timeline.js';
import { PseudolabelError } from '../../src/errors.js';
import { removeEmptyFolder } from '../../src/files/remove.js';
import { writeAtomically } from '../../src/files/write.js';
import { counted } from '../../src/format.js';
import { assumptionLine } from '../../src/methods/class-balance-text.js';
import { settingTexts } from '../../src/option-text.js';
import { traceFile } from '../../src/reporting/trace.js';
import { rampLines } from '../../src/training/alpha-ramp.js';
import type { RunConfig } from '../../src/training/config.js';
import { ALL_PRESETS } from '../../src/training/presets/presets.js';
import { augmentationLine } from '../../src/training/presets/with-method.js';
import { SCENARIOS } from '../../src/training/scenario.js';
import { choiceLine } from '../../src/training/strategy-choice.js';
import type { Dashboard } from '../dashboard/dashboard.js';
import { withWorkers } from '../library/workers.js';
import { loadData } from '../load-data.js';
import type { ExecutionPlace } from '../place.js';
import { type PresetChoice, withDefaultPreset } from '../runs/default-preset.js';
import { networkFor } from '../runs/network.js';
import { changesOf, type Job, type ResolvedRun, resolveRun } from '../runs/resolved-run.js';
import type { RunResult } from '../runs/result.js';
import { checkSameData, type Earlier, locate, savedConfig, withSavedValidation } from '../runs/resume.js';
import { RunDirectory } from '../runs/run-directory.js';
import type { Transport } from '../server/transport.js';
import { dataLines, idleLine, resultLines, sessionLine, stagesLine } from '../terminal/summary.js';
import { addClusterOptions, type ClusterFlags, checkNodes, clusterPlace } from './cluster.js';
import { resumeArgs, withResumeLine } from './invocation.js';
import { addMpiOptions, asRank, type MpiFlags } from './mpi.js';
import { refuseIdle } from './option-rules.js';
import { addMethodChoice, addModelChoice, addNumberOptions, addRunOptions, type Context, usage } from './options.js';
import { configFrom, newDirectory, type RunFlags, resumedConfig } from './run-flags.js';
import {
  addDashboardOptions,
  addFaultOptions,
  dashboardAt,
  placeOf,
  type WatchFlags,
  watchersOf,
  wrapperFor,
} from './watched-run.js';

interface TrainFlags extends RunFlags, ClusterFlags, MpiFlags, WatchFlags {
  readonly workers?: number;
  readonly test: boolean;
  readonly trace?: string;
}

/** The default preset, for the help (default-preset.ts). */
const OWN_PRESET = 'best; modern for images of your own of which some have no label';

/** What connects this process to other machines and processes. */
interface Reach {
  readonly transport: Transport | undefined;
  readonly collective: Collective | undefined;
}

const HELP = `
Scenarios:
  nn    a network without dropout, on the labelled images alone
  drop  with dropout
  pl    with dropout and pseudo-labels
  dae   with dropout, pseudo-labels, and a denoising autoencoder before

Methods, which the preset best trains the scenarios pl and dae by (docs/methods.md):
  supervised         the labelled images alone, with dropout
  pseudo-label       Lee 2013, which the scenarios are made of
  fixmatch           Sohn et al. 2020: confident predictions of the image as it is are the targets of the image changed
  freematch          Wang et al. 2023: with thresholds that follow the network
  mean-teacher       Tarvainen & Valpola 2017: an average of the network's weights makes the targets
  label-propagation  labels spread over a graph of images that look alike
The last four change images at random when they are trained on (--augment): grey ones as digits are changed, others moderately, never mirrored.

Pseudo-labels are held to shares of the classes (--class-shares), without which a class may be lost to its neighbours:
  auto      the labelled images' shares, which are equal with --labels-per-class N. Before the first pseudo-label counts, shares are
            estimated from the unlabelled images; if that contradicts the labelled ones, the estimate is used. The preset best does this
  labelled  the labelled images' in any case: right where they were drawn at random (--labels-per-class all)
  equal     equal ones
  estimate  the estimate in any case
  0.6,0.4   these, in the order of the classes
  off       none; the presets paper and report do this
A run says what it took; result.json and the report have it too.

The weights of a run depend on its options, seed and --shards: not on --workers, nor on how often it was interrupted.
Ctrl-C saves a checkpoint first; a second one stops at once.

Examples:
  $ pseudolabel train --scenario pl --quick
  $ pseudolabel train --model convnet --method freematch
  $ pseudolabel train --scenario dae --preset paper --out runs/paper-dae --json result.json
  $ pseudolabel train --resume runs/paper-dae
  $ pseudolabel train --set finetune.rate.initial=3e-4 --set finetune.threshold=0.9
  $ pseudolabel preset best --scenario dae > mine.json    # change any number, then
  $ pseudolabel train --stages mine.json
  $ pseudolabel train --data photos/ --labels corrected.csv --start runs/first    # its network and weights
  $ pseudolabel train --dashboard
  $ pseudolabel train --dashboard 192.168.1.10:8765
  $ mpirun -np 4 --hostfile hosts npx pseudolabel train --collective mpi
  $ pseudolabel train --scenario pl --validation 1000 --validate-every 200 --no-test`;

/** Adds the command. transport: undefined if runs stay on this machine. */
export function addTrain(program: Command, context: Context, transport?: Transport): void {
  const command = program.command('train').description('train one scenario, or go on with a run');
  command.addOption(new Option('--scenario <name>', 'what to train (pl)').choices(SCENARIOS));
  if (transport) addClusterOptions(command);
  addMpiOptions(command);
  addDashboardOptions(
    addNumberOptions(addMethodChoice(addModelChoice(addRunOptions(command, ALL_PRESETS, OWN_PRESET)))),
  )
    .option('--no-test', 'do not look at the test images')
    .option('--trace <file>', 'write what every worker did when, for ui.perfetto.dev')
    .addHelpText('after', HELP)
    .action((flags: TrainFlags) =>
      asRank(flags, context, (collective) => train(flags, command, context, { transport, collective })),
    );
  addFaultOptions(command);
}

async function train(flags: TrainFlags, command: Command, context: Context, reach: Reach): Promise<void> {
  const { terminal } = context;
  const earlier = flags.resume === undefined ? undefined : await locate(flags.resume);
  const config = earlier
    ? resumedConfig(await savedConfig(earlier.path), await withSavedValidation(flags, earlier.path))
    : await configFrom(flags);
  refuseIdle(command, config);
  if (flags.listen !== undefined) checkNodes(flags, config.shards);
  const path = earlier?.path ?? flags.out ?? (await newDirectory(config.scenario));
  const { invocation } = context;
  context.goesOn(path, invocation.line(resumeArgs(command, invocation.typed, path)));
  let result = earlier && (await RunDirectory.resultOf(earlier.path));
  const isOld = result !== undefined;
  if (isOld) terminal.note(`${path} is finished; its result:`);
  try {
    result ??= await run(config, path, earlier, flags, context, reach);
  } catch (error) {
    if (RunDirectory.isAt(path)) throw withResumeLine(error, command, path, invocation);
    if (flags.out === undefined) await removeEmptyFolder(path); // The program made it, and the run has not begun.
    throw error;
  }
  terminal.doing('writing the report');
  const { writeReport } = await import('../report.js');
  await writeReport(path);
  const seconds = isOld ? undefined : performance.now() / 1000;
  await terminal.deliver((colours) => resultLines(result, path, colours, seconds), result, flags.json);
}

/** Chooses the preset. A config file is complete, and a run that is resumed has its preset. */
function presetFor(config: RunConfig, flags: TrainFlags, dataset: Dataset): PresetChoice {
  const isOwn = flags.data !== undefined && flags.config === undefined && flags.resume === undefined;
  return isOwn ? withDefaultPreset(config, flags, dataset) : { config, note: undefined };
}

async function run(
  asked: RunConfig,
  path: string,
  earlier: Earlier | undefined,
  flags: TrainFlags,
  context: Context,
  reach: Reach,
): Promise<RunResult> {
  const { terminal } = context;
  if (asked.wire !== 'f32' && flags.listen === undefined) throw nothingTravels(asked, reach);
  if (asked.fastSum && !reach.collective) throw usage('--fast-sum without MPI', 'add --collective mpi');
  const dataset = await loadData(asked, context);
  if (earlier) await checkSameData(earlier.path, dataset);
  const { config, note } = presetFor(asked, flags, dataset);
  if (note !== undefined) terminal.note(note);
  terminal.doing('preparing the run');
  const resolved = resolveRun(config, dataset, await networkFor(config, dataset));
  for (const line of openingLines(resolved)) terminal.note(line);
  const calls: Call[] | undefined = flags.trace === undefined ? undefined : [];
  const place = placeOf(flags);
  const dashboard = place && (await dashboardAt(place, path));
  const where = placeFor(resolved, flags, context, reach, dashboard);
  terminal.doing(flags.listen === undefined ? 'starting workers' : 'getting workers and nodes ready');
  try {
    const wrap = wrapperFor(flags, dashboard, calls);
    const { result } = await withWorkers([resolved], { place: where, wrap }, async ({ session, train: go }) => {
      if (session.job) terminal.note(jobLine(session.job));
      // With nodes, this is printed when they join.
      const idle = flags.listen === undefined ? idleLine(resolved, session.dispatcher.workers) : undefined;
      if (idle !== undefined) terminal.note(idle);
      return go(resolved, {
        path,
        earlier,
        allowMixed: flags.allowMixed ?? false,
        signal: context.signal,
        validateEvery: flags.validateEvery ?? 0,
        test: flags.test,
        begins: ({ resumeFrom }) => {
          const changes = earlier ? changesOf(resolved) : [];
          if (changes.length > 0)
            terminal.note(
              `its numbers have changed since it began, and it goes on with its own: ${changes.join('; ')}`,
            );
          if (earlier && !resumeFrom) terminal.note('it has no checkpoint yet: starting at its first step');
          return watchersOf(resolved, session, { path, dashboard }, context);
        },
      });
    });
    dashboard?.ends(result);
    await dashboard?.close();
    return result;
  } catch (error) {
    await dashboard?.fails(error);
    throw error;
  } finally {
    if (calls && flags.trace !== undefined) await writeAtomically(flags.trace, traceFile(calls));
  }
}

/** Returns the lines that are printed before a run begins. */
function openingLines(run: ResolvedRun): string[] {
  const { config, dataset, stages, task } = run;
  return [
    sessionLine(run),
    stagesLine(run),
    ...dataLines(dataset),
    config.start === undefined ? undefined : `start: the weights of ${config.start}`,
    settingsLine(config.set),
    augmentationLine(config, task),
    choiceLine(config, stages),
    ...rampLines(stages, config.maxSteps),
    assumptionLine(stages.map(({ method }) => method)),
  ].filter((line) => line !== undefined);
}

const settingsLine = (settings: RunConfig['set']): string | undefined =>
  settings && `set: ${settingTexts(settings).join(', ')}`;

/** Returns where the run is computed: on this machine alone, with nodes on others, or with the ranks of an MPI job. */
function placeFor(
  run: ResolvedRun,
  { listen, ...flags }: TrainFlags,
  context: Context,
  { transport, collective }: Reach,
  dashboard: Dashboard | undefined,
): ExecutionPlace {
  if (collective) return { kind: 'mpi', collective, allowMixed: flags.allowMixed ?? false };
  if (!transport || listen === undefined) return { kind: 'threads' };
  return clusterPlace(run, { ...flags, listen }, context, transport, dashboard);
}

function jobLine({ ranks, workers, sum }: Job): string {
  const dependence = sum === 'any' ? "; gradients are summed in MPI's order, so the weights depend on the ranks" : '';
  return `${counted(ranks, 'rank')} with ${counted(workers, 'worker')} in all${dependence}`;
}

function nothingTravels({ wire }: RunConfig, { collective }: Reach): PseudolabelError {
  if (!collective) return usage(`--wire ${wire} without --listen`, 'add --listen, or leave --wire out of a new run');
  const fix = 'leave --wire out, or use nodes in place of ranks (--listen)';
  return new PseudolabelError('E_CONFIG', `wire: ${wire} does not go over MPI, where sums are floats`, fix);
}
