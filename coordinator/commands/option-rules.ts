// Says when each option of each command has an effect. An option without an effect is refused, because the user meant
// something by it.

import type { Command } from 'commander';
import { methodOf } from '../../src/methods/methods.js';
import type { RunConfig } from '../../src/training/config.js';
import { parseAddress } from '../../worker/address.js';
import { usage } from './options.js';

/** What a command was given. */
interface Given {
  has(option: string): boolean;
  value(option: string): unknown;
  /** The first argument that is not an option. */
  readonly argument: string | undefined;
  /** The complete config; undefined while it is not known. */
  readonly config: RunConfig | undefined;
}

/** When an option has an effect, what is missing if it has none, and what would give it one. */
interface Rule {
  readonly when: (given: Given) => boolean;
  readonly without: string;
  readonly add: string;
}

type Rules = Readonly<Record<string, readonly Rule[]>>;

const rule = (without: string, add: string, when: Rule['when']): Rule => ({ when, without, add });

/** Makes a rule about options that may come from a file. It is checked when the config is known. */
const ofConfig = (without: string, add: string, when: (config: RunConfig, given: Given) => boolean): Rule =>
  rule(without, add, (given) => given.config === undefined || when(given.config, given));

const withOption = (option: string, add: string): Rule =>
  rule(`without ${add.split(' ')[0]}`, `add ${add}`, ({ has }) => has(option));

/** Returns rules by which these options always have an effect. options: names separated by spaces. */
const always = (options: string): Rules => Object.fromEntries(options.split(' ').map((option) => [option, []]));

const LISTEN = withOption('listen', '--listen HOST:PORT');
const CERTIFICATE = withOption('certificate', '--certificate FILE');
const KEY = withOption('key', '--key FILE');
const RANKS = withOption('ranks', '--ranks LIST');

/**
 * Returns whether other machines may reach the dashboard. Names of hosts count as if they did, because they are looked
 * up later.
 */
function isShownToOthers({ value }: Given): boolean {
  const place = value('dashboard');
  if (typeof place !== 'object' || place === null || !('host' in place)) return false;
  return !/^(127\.[\d.]+|::1|localhost)$/.test(String(place.host));
}

const isWithTls = (address: unknown): boolean => typeof address === 'string' && parseAddress(address).tls;

const PUBLIC_DASHBOARD = rule(
  'without a --dashboard that other machines reach',
  'add --dashboard HOST:PORT',
  isShownToOthers,
);
const PUBLIC = rule(
  'without --listen or a --dashboard that other machines reach',
  'add --listen HOST:PORT',
  (given) => given.has('listen') || isShownToOthers(given),
);
const ENCRYPTED = rule('where nothing is encrypted', 'leave out --insecure and ws://', (given) => {
  const { has, value } = given;
  return !has('insecure') && (isShownToOthers(given) || !has('listen') || isWithTls(value('listen')));
});
const PSEUDO_LABELS = ofConfig('without pseudo-labels', 'train the scenario pl or dae', (config, { value }) => {
  const { scenario, method } = config;
  if (method !== undefined && !methodOf({ name: method }).usesPseudoLabels) return false;
  const scenarios = (value('scenarios') as readonly string[] | undefined) ?? [scenario];
  return scenarios.some((each) => each === 'pl' || each === 'dae');
});

/** Options that change how the data of a run is read. They override those of the run. */
const READING = 'format labels size unlabelled followLinks skipBad cache';
const NO_IMAGES = rule('with --images', 'give --data PATH in the place of --images', ({ has }) => !has('images'));
const PATH = rule('without a path', 'add the path of the images', ({ argument }) => argument !== undefined);
/** Options for reading data have no effect on MNIST, which comes with the program. */
const DATA = ofConfig('without --data', 'add --data PATH', ({ data }) => data !== undefined);
const OF_DATA: Rules = {
  format: [DATA],
  labels: [DATA],
  size: [DATA],
  unlabelled: [DATA],
  followLinks: [DATA],
  skipBad: [DATA],
  cache: [DATA],
};

/** Options that shape a preset's stages have no effect on the user's own stages. */
const OF_PRESETS = rule(
  'with --stages',
  'leave out --stages, or change the numbers in its file',
  ({ has }) => !has('stages'),
);

const OF_RUNS: Rules = {
  ...OF_DATA,
  ...always('preset quick seed labelsPerClass validation data hidden workers shards strategy maxSteps'),
  ...always('augment checkpointEvery checkpointSeconds keepCheckpoints out json config resume'),
  ...always('logFormat'),
  split: [
    ofConfig(
      'with --labels-per-class all',
      'give --labels-per-class N',
      ({ labelsPerClass }) => labelsPerClass !== 'all',
    ),
  ],
  splitSeed: [
    ofConfig(
      'without anything that it draws',
      'add --split random, or --validation N',
      ({ split, validation }) => split === 'random' || validation > 0,
    ),
  ],
  validateEvery: [ofConfig('without images to look at', 'add --validation N', ({ validation }) => validation > 0)],
  refresh: [PSEUDO_LABELS],
  threshold: [PSEUDO_LABELS],
  classShares: [PSEUDO_LABELS],
};
const WATCHED: Rules = { ...always('dashboard stallWorker'), dashboardToken: [PUBLIC_DASHBOARD] };

const NO_START = rule('with --start', 'leave out --start', ({ has }) => !has('start'));

/** Options of runs whose stages and network the user may give. */
const OF_STAGES: Rules = {
  ...always('scenario stages set'),
  augment: [OF_PRESETS],
  method: [OF_PRESETS],
  preset: [OF_PRESETS],
  quick: [OF_PRESETS],
  hidden: [
    OF_PRESETS,
    rule('with --model', 'give the units with it: --model dense:5000', ({ has }) => !has('model')),
    rule(
      'on the preset modern',
      'name the network with its units: --model dense:5000',
      ({ value }) => value('preset') !== 'modern',
    ),
    NO_START,
  ],
  refresh: [PSEUDO_LABELS, OF_PRESETS],
  threshold: [PSEUDO_LABELS, OF_PRESETS],
  classShares: [PSEUDO_LABELS, OF_PRESETS],
  model: [OF_PRESETS],
  members: [
    OF_PRESETS,
    rule('on a dense network', 'add --model convnet', ({ has, value }) => has('model') || value('preset') === 'modern'),
  ],
  effort: [OF_PRESETS],
  start: [],
  fresh: [withOption('model', '--model PATH'), NO_START],
};

const RESUMED: Rules = { allowMixed: [withOption('resume', '--resume DIR')] };

const SWEEP: Rules = { ...OF_RUNS, ...OF_STAGES, ...always('seeds splits random'), ...RESUMED };

const TRAIN: Rules = {
  ...OF_RUNS,
  ...WATCHED,
  ...OF_STAGES,
  ...always('listen collective test trace'),
  tokenFile: [LISTEN],
  insecure: [PUBLIC],
  certificate: [PUBLIC, KEY, ENCRYPTED],
  key: [PUBLIC, CERTIFICATE, ENCRYPTED],
  nodes: [LISTEN],
  nodesTimeout: [
    LISTEN,
    rule(
      'in a run that waits for no node',
      'add --nodes N, or --no-local',
      ({ value }) => Number(value('nodes') ?? 0) > 0 || value('local') === false,
    ),
  ],
  local: [LISTEN],
  wire: [LISTEN],
  fastSum: [withOption('collective', '--collective mpi')],
  allowMixed: [
    rule(
      'in a new run on this machine alone',
      'add --resume, --listen or --collective',
      ({ has }) => has('resume') || has('listen') || has('collective'),
    ),
  ],
  loseWorker: [
    rule(
      'in a run over several machines',
      'leave out --listen and --collective',
      ({ has }) => !has('listen') && !has('collective'),
    ),
  ],
};

const REPRODUCE: Rules = {
  ...OF_RUNS,
  ...WATCHED,
  ...always('scenarios splits loseWorker'),
  insecure: [PUBLIC_DASHBOARD],
  certificate: [PUBLIC_DASHBOARD, KEY, ENCRYPTED],
  key: [PUBLIC_DASHBOARD, CERTIFICATE, ENCRYPTED],
  ...RESUMED,
};

const OF_CONNECTIONS: Rules = {
  ...always('tokenFile logFormat'),
  fingerprint: [
    rule(
      'with an address without TLS, which has no certificate to compare it with',
      'give HOST:PORT or wss://HOST:PORT',
      ({ argument }) => isWithTls(argument),
    ),
  ],
  insecure: [
    rule(
      'with an address that has TLS',
      'give ws://HOST:PORT where the coordinator has none',
      ({ argument }) => !isWithTls(argument),
    ),
  ],
};

/** The number of steps has no effect on labelling. */
const STEPS = rule(
  'with --phase label, which makes no steps',
  'measure another phase',
  ({ value }) => value('phase') !== 'label',
);

export const OPTION_RULES: Readonly<Record<string, Rules>> = {
  train: TRAIN,
  reproduce: REPRODUCE,
  sweep: SWEEP,
  worker: { ...OF_CONNECTIONS, ...always('workers name patience') },
  status: { ...OF_CONNECTIONS, ...always('json') },
  preset: {
    ...always('scenario method quick effort hidden model labelsPerClass data schema logFormat'),
    ...Object.fromEntries(READING.split(' ').map((option) => [option, [withOption('data', '--data PATH')]])),
  },
  evaluate: always(`${READING} data workers json logFormat`),
  label: {
    ...Object.fromEntries(READING.split(' ').map((option) => [option, [NO_IMAGES]])),
    ...always(`data workers json images out outFormat review sortInto propagate logFormat`),
    test: [NO_IMAGES, rule('with --propagate', 'label the training images with it', ({ has }) => !has('propagate'))],
    classShares: [withOption('propagate', '--propagate')],
    reviewPage: [withOption('review', '--review N')],
  },
  data: {
    ...always('page sheet json logFormat'),
    ...Object.fromEntries(READING.split(' ').map((option) => [option, [PATH]])),
  },
  pack: always(`${READING} workers json logFormat`),
  export: always('to json logFormat'),
  report: always('json serve logFormat'),
  compare: always('out json logFormat'),
  doctor: always('json logFormat'),
  setup: always('logFormat'),
  clean: always('dryRun all yes cache json logFormat'),
  scaling: {
    ...always('workers nodes ranks mode phase repeats preset hidden shards seed data simulate json out logFormat'),
    ...Object.fromEntries(READING.split(' ').map((option) => [option, [withOption('data', '--data PATH')]])),
    hostfile: [RANKS],
    fastSum: [RANKS, STEPS],
    steps: [STEPS],
    strategy: [STEPS],
  },
};

/**
 * Throws E_USAGE for an option that was given and has no effect.
 * @param config the complete config, if it is known; rules that depend on it are only checked then
 */
export function refuseIdle(command: Command, config?: RunConfig): void {
  const values: Record<string, unknown> = command.opts();
  const has = (option: string) => command.getOptionValueSource(option) === 'cli';
  const given: Given = { has, value: (option) => values[option], argument: command.args[0], config };
  const rules = OPTION_RULES[command.name()] ?? {};
  for (const option of command.options) {
    const name = option.attributeName();
    if (!has(name) || values[name] === undefined) continue;
    const broken = rules[name]?.find(({ when }) => !when(given));
    if (!broken) continue;
    const flag = option.long!;
    const fix = `${broken.add}, or leave ${flag} out`;
    throw usage(`${flag} has no effect ${broken.without}`, fix);
  }
}
