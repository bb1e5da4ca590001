// Says where each option of each command has an effect. An option without an effect is refused, since whoever gave it
// meant something by it.
import type { Command } from 'commander';
import { PseudolabelError } from '../../src/errors.js';
import type { RunConfig } from '../../src/training/config.js';
import { parseAddress } from '../../worker/address.js';

/** What a command was given. */
interface Given {
  has(option: string): boolean;
  value(option: string): unknown;
  /** The first argument that is no option. */
  readonly argument: string | undefined;
}

/** When an option has an effect; what it is without; what would give it one. */
interface Rule {
  readonly when: (given: Given) => boolean;
  readonly without: string;
  readonly add: string;
}

/** The same of an option that depends on others which may come from a file. */
interface ConfigRule extends Omit<Rule, 'when'> {
  readonly whenConfig: (config: RunConfig, given: Given) => boolean;
}

type Rules = Readonly<Record<string, readonly (Rule | ConfigRule)[]>>;

const ALWAYS: readonly Rule[] = [];
const always = (...options: string[]): Rules => Object.fromEntries(options.map((option) => [option, ALWAYS]));
const withOption = (option: string, add: string): Rule => ({
  when: ({ has }) => has(option),
  without: `without ${add.split(' ')[0]}`,
  add: `add ${add}`,
});

const LISTEN = withOption('listen', '--listen HOST:PORT');
const CERTIFICATE = withOption('certificate', '--certificate FILE');
const KEY = withOption('key', '--key FILE');
const RANKS = withOption('ranks', '--ranks LIST');

/** Whether others can see the dashboard. A name may be of this machine too: that is known when it is looked up. */
function isShownToOthers({ value }: Given): boolean {
  const place = value('dashboard');
  if (typeof place !== 'object' || place === null || !('host' in place)) return false;
  return !/^(127\.[\d.]+|::1|localhost)$/.test(String(place.host));
}

const isWithTls = (address: unknown): boolean => typeof address === 'string' && parseAddress(address).tls;

const PUBLIC_DASHBOARD: Rule = {
  when: isShownToOthers,
  without: 'without a --dashboard that other machines reach',
  add: 'add --dashboard HOST:PORT',
};
const PUBLIC: Rule = {
  when: (given) => given.has('listen') || isShownToOthers(given),
  without: 'without --listen or a --dashboard that other machines reach',
  add: 'add --listen HOST:PORT',
};
const ENCRYPTED: Rule = {
  when: (given) =>
    !given.has('insecure') && (isShownToOthers(given) || !given.has('listen') || isWithTls(given.value('listen'))),
  without: 'where nothing is encrypted',
  add: 'leave out --insecure and ws://',
};
const PSEUDO_LABELS: ConfigRule = {
  whenConfig: ({ scenario }, { value }) => {
    const scenarios = (value('scenarios') as readonly string[] | undefined) ?? [scenario];
    return scenarios.some((each) => each === 'pl' || each === 'dae');
  },
  without: 'without pseudo-labels',
  add: 'train the scenario pl or dae',
};

const OF_RUNS: Rules = {
  ...always(
    'preset',
    'quick',
    'seed',
    'labelsPerClass',
    'validation',
    'data',
    'hidden',
    'workers',
    'shards',
    'strategy',
  ),
  ...always(
    'precision',
    'maxSteps',
    'checkpointEvery',
    'checkpointSeconds',
    'keepCheckpoints',
    'out',
    'json',
    'config',
    'resume',
  ),
  ...always('dashboard', 'stallWorker', 'logFormat'),
  split: [
    {
      whenConfig: ({ labelsPerClass }) => labelsPerClass !== 'all',
      without: 'with --labels-per-class all',
      add: 'give --labels-per-class N',
    },
  ],
  splitSeed: [
    {
      whenConfig: ({ split, validation }) => split === 'random' || validation > 0,
      without: 'without anything that it draws',
      add: 'add --split random, or --validation N',
    },
  ],
  validateEvery: [
    {
      whenConfig: ({ validation }) => validation > 0,
      without: 'without images to look at',
      add: 'add --validation N',
    },
  ],
  refresh: [PSEUDO_LABELS],
  threshold: [PSEUDO_LABELS],
  classShares: [PSEUDO_LABELS],
  dashboardToken: [PUBLIC_DASHBOARD],
};

const TRAIN: Rules = {
  ...OF_RUNS,
  ...always('scenario', 'listen', 'collective', 'test', 'trace'),
  tokenFile: [LISTEN],
  insecure: [PUBLIC],
  certificate: [PUBLIC, KEY, ENCRYPTED],
  key: [PUBLIC, CERTIFICATE, ENCRYPTED],
  nodes: [LISTEN],
  nodesTimeout: [
    LISTEN,
    {
      when: ({ value }) => Number(value('nodes') ?? 0) > 0 || value('local') === false,
      without: 'in a run that waits for no node',
      add: 'add --nodes N, or --no-local',
    },
  ],
  local: [LISTEN],
  wire: [LISTEN],
  fastSum: [withOption('collective', '--collective mpi')],
  allowMixed: [
    {
      when: ({ has }) => has('resume') || has('listen') || has('collective'),
      without: 'in a new run on this machine alone',
      add: 'add --resume, --listen or --collective',
    },
  ],
  loseWorker: [
    {
      when: ({ has }) => !has('listen') && !has('collective'),
      without: 'in a run over several machines',
      add: 'leave out --listen and --collective',
    },
  ],
};

const REPRODUCE: Rules = {
  ...OF_RUNS,
  ...always('scenarios', 'splits', 'loseWorker'),
  insecure: [PUBLIC_DASHBOARD],
  certificate: [PUBLIC_DASHBOARD, KEY, ENCRYPTED],
  key: [PUBLIC_DASHBOARD, CERTIFICATE, ENCRYPTED],
  allowMixed: [withOption('resume', '--resume DIR')],
};

const OF_CONNECTIONS: Rules = {
  ...always('tokenFile', 'logFormat'),
  fingerprint: [
    {
      when: ({ argument }) => isWithTls(argument),
      without: 'with an address without TLS, which has no certificate to hold it against',
      add: 'give HOST:PORT or wss://HOST:PORT',
    },
  ],
  insecure: [
    {
      when: ({ argument }) => !isWithTls(argument),
      without: 'with an address that has TLS',
      add: 'give ws://HOST:PORT where the coordinator has none',
    },
  ],
};

/** What is measured besides labelling, of which there are no steps. */
const STEPS: Rule = {
  when: ({ value }) => value('phase') !== 'label',
  without: 'with --phase label, which makes no steps',
  add: 'measure another phase',
};

export const OPTION_RULES: Readonly<Record<string, Rules>> = {
  train: TRAIN,
  reproduce: REPRODUCE,
  worker: { ...OF_CONNECTIONS, ...always('workers', 'name', 'patience') },
  status: { ...OF_CONNECTIONS, ...always('json') },
  evaluate: always('data', 'workers', 'precision', 'json', 'logFormat'),
  label: always('data', 'workers', 'precision', 'json', 'images', 'out', 'csv', 'logFormat'),
  report: always('json', 'serve', 'logFormat'),
  compare: always('out', 'json', 'logFormat'),
  doctor: always('json', 'logFormat'),
  scaling: {
    ...always('workers', 'nodes', 'ranks', 'mode', 'phase', 'repeats', 'preset', 'hidden', 'shards', 'seed', 'data'),
    ...always('simulate', 'json', 'out', 'logFormat'),
    hostfile: [RANKS],
    fastSum: [RANKS, STEPS],
    steps: [STEPS],
    strategy: [STEPS],
  },
};

/**
 * Throws E_USAGE for an option that was given and has no effect.
 * @param config the complete config, where it is known: what depends on it is looked at only then
 */
export function refuseIdle(command: Command, config?: RunConfig): void {
  const values: Record<string, unknown> = command.opts();
  const given: Given = {
    has: (option) => command.getOptionValueSource(option) === 'cli',
    value: (option) => values[option],
    argument: command.args[0],
  };
  const rules = OPTION_RULES[command.name()] ?? {};
  for (const option of command.options) {
    const name = option.attributeName();
    if (!given.has(name) || values[name] === undefined) continue;
    const isIdle = (rule: Rule | ConfigRule): boolean => {
      if ('when' in rule) return !rule.when(given);
      return config !== undefined && !rule.whenConfig(config, given);
    };
    const broken = rules[name]?.find(isIdle);
    if (!broken) continue;
    const flag = option.long!;
    const fix = `${broken.add}, or leave ${flag} out`;
    throw new PseudolabelError('E_USAGE', `${flag} has no effect ${broken.without}`, fix);
  }
}
