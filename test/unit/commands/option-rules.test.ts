// Tests that options without an effect are refused. The table of rules has every option of every command, and each of
// its rules is tried both ways.
import { describe, expect, it } from 'vitest';
import { OPTION_RULES, refuseIdle } from '../../../coordinator/commands/option-rules.js';
import { programOf } from '../../../coordinator/commands/program.js';
import { flagOf } from '../../../src/option-text.js';
import { normalise, optionsSchema } from '../../../src/training/config.js';
import { contextFor, terminalWith } from '../terminal/streams.js';

const newProgram = () => programOf(contextFor(terminalWith(false).terminal), async () => undefined);
const { commands } = newProgram();

/** Runs a command up to the beginning of its work, with its config as train and reproduce have it. */
async function begun(line: string): Promise<void> {
  const program = newProgram();
  for (const command of program.commands)
    command.action(() => {
      const options: Record<string, unknown> = command.opts();
      const given = Object.keys(optionsSchema.shape).filter((key) => key in options);
      const isRun = ['train', 'reproduce', 'sweep'].includes(command.name());
      if (isRun) refuseIdle(command, normalise(Object.fromEntries(given.map((key) => [key, options[key]]))));
    });
  await program.parseAsync(line.split(' '), { from: 'user' });
}

/** [refused, with an effect]: for every option that does not always have one. */
type Example = readonly [refused: string, effective: string];
const LISTEN = '--listen 10.0.0.1:7171';
const PUBLIC = '--dashboard 10.0.0.1:8765';
/** Options that say how data is read. */
const OF_DATA: Readonly<Record<string, string>> = {
  format: '--format idx',
  labels: '--labels l.csv',
  size: '--size 8x8',
  unlabelled: '--unlabelled rest',
  followLinks: '--follow-links',
  skipBad: '--skip-bad',
  cache: '--cache c',
};

const ofRuns = (command: string): Record<string, readonly Example[]> => ({
  ...Object.fromEntries(
    Object.entries(OF_DATA).map(([name, flag]) => [
      name,
      [[`${command} ${flag}`, `${command} --data d ${flag}`] as const],
    ]),
  ),
  split: [[`${command} --split first --labels-per-class all`, `${command} --split first --labels-per-class 5`]],
  splitSeed: [
    [`${command} --split-seed 2`, `${command} --split random --split-seed 2`],
    [`${command} --split first --split-seed 2`, `${command} --validation 100 --split-seed 2`],
  ],
  validateEvery: [[`${command} --validate-every 5`, `${command} --validation 9 --validate-every 5`]],
});
const ofDashboards = (command: string): Record<string, readonly Example[]> => ({
  dashboardToken: [
    [`${command} --dashboard-token t`, `${command} ${PUBLIC} --dashboard-token t`],
    [`${command} --dashboard --dashboard-token t`, `${command} --dashboard 0.0.0.0:1 --dashboard-token t`],
    [`${command} --dashboard localhost:1 --dashboard-token t`, `${command} --dashboard host:1 --dashboard-token t`],
  ],
});
const inRows = (flag: string, value: string): readonly Example[] => [
  [`reproduce --scenarios nn,drop ${flag} ${value}`, `reproduce --scenarios nn,pl ${flag} ${value}`],
];
const ofConnections = (command: string): Record<string, readonly Example[]> => ({
  fingerprint: [
    [`${command} ws://a:1 --token-file t --fingerprint f`, `${command} a:1 --token-file t --fingerprint f`],
  ],
  insecure: [
    [`${command} a:1 --token-file t --insecure`, `${command} ws://a:1 --token-file t --insecure`],
    [`${command} wss://a:1 --token-file t --insecure`, `${command} ws://a:1 --token-file t --insecure`],
  ],
});
const KEPT = '--certificate c --key k';

/** Returns options about a network, and about a preset's stages, of commands that also take the user's own. */
const ofStages = (command: string): Record<string, readonly Example[]> => {
  const withoutStages = (flag: string): Example => [`${command} --stages s ${flag}`, `${command} ${flag}`];
  const shaping = (flag: string): readonly Example[] => [
    [`${command} --scenario nn ${flag}`, `${command} ${flag}`],
    withoutStages(flag),
  ];
  return {
    preset: [withoutStages('--preset paper')],
    quick: [withoutStages('--quick')],
    augment: [withoutStages('--augment digits')],
    method: [withoutStages('--method fixmatch')],
    model: [withoutStages('--model convnet')],
    hidden: [
      withoutStages('--hidden 64'),
      [`${command} --model dense:64 --hidden 64`, `${command} --hidden 64`],
      [`${command} --preset modern --hidden 64`, `${command} --hidden 64`],
    ],
    fresh: [[`${command} --fresh`, `${command} --model m --fresh`]],
    members: [[`${command} --members 2`, `${command} --model convnet --members 2`]],
    effort: [[`${command} --stages s --effort high`, `${command} --preset modern --effort high`]],
    refresh: shaping('--refresh once'),
    threshold: shaping('--threshold 0.9'),
    classShares: shaping('--class-shares off'),
  };
};

const EXAMPLES: Readonly<Record<string, Readonly<Record<string, readonly Example[]>>>> = {
  sweep: {
    ...ofRuns('sweep'),
    ...ofStages('sweep'),
    allowMixed: [['sweep --allow-mixed', 'sweep --resume runs/a --allow-mixed']],
  },
  train: {
    ...ofRuns('train'),
    ...ofDashboards('train'),
    ...ofStages('train'),
    tokenFile: [['train --token-file t', `train ${LISTEN} --token-file t`]],
    insecure: [
      ['train --insecure', `train ${LISTEN} --insecure`],
      ['train --dashboard --insecure', `train ${PUBLIC} --insecure`],
    ],
    certificate: [
      [`train ${KEPT}`, `train ${LISTEN} ${KEPT}`],
      [`train ${LISTEN} --certificate c`, `train ${PUBLIC} ${KEPT}`],
      [`train ${LISTEN} --insecure ${KEPT}`, `train ${LISTEN} ${KEPT}`],
      [`train --listen ws://10.0.0.1:1 ${KEPT}`, `train --listen ws://10.0.0.1:1 ${PUBLIC} ${KEPT}`],
    ],
    key: [[`train ${LISTEN} --key k`, `train ${LISTEN} --key k --certificate c`]],
    nodes: [['train --nodes 2', `train ${LISTEN} --nodes 2`]],
    nodesTimeout: [
      ['train --nodes-timeout 5', `train ${LISTEN} --nodes 1 --nodes-timeout 5`],
      [`train ${LISTEN} --nodes-timeout 5`, `train ${LISTEN} --no-local --nodes-timeout 5`],
    ],
    local: [['train --no-local', `train ${LISTEN} --no-local`]],
    wire: [['train --wire f32', `train ${LISTEN} --wire bf16`]],
    fastSum: [['train --fast-sum', 'train --collective mpi --fast-sum']],
    allowMixed: [
      ['train --allow-mixed', 'train --resume runs/a --allow-mixed'],
      ['train --workers 2 --allow-mixed', `train ${LISTEN} --allow-mixed`],
    ],
    loseWorker: [
      [`train ${LISTEN} --lose-worker 3`, 'train --lose-worker 3'],
      ['train --collective mpi --lose-worker 3', 'train --lose-worker 3'],
    ],
  },
  reproduce: {
    ...ofRuns('reproduce'),
    ...ofDashboards('reproduce'),
    refresh: inRows('--refresh', 'once'),
    threshold: inRows('--threshold', '0.9'),
    classShares: inRows('--class-shares', 'off'),
    insecure: [['reproduce --insecure', `reproduce ${PUBLIC} --insecure`]],
    certificate: [
      [`reproduce --dashboard ${KEPT}`, `reproduce ${PUBLIC} ${KEPT}`],
      [`reproduce ${PUBLIC} --insecure ${KEPT}`, `reproduce ${PUBLIC} ${KEPT}`],
    ],
    key: [[`reproduce ${PUBLIC} --key k`, `reproduce ${PUBLIC} ${KEPT}`]],
    allowMixed: [['reproduce --allow-mixed', 'reproduce --resume runs/a --allow-mixed']],
  },
  label: {
    ...Object.fromEntries(
      Object.entries(OF_DATA).map(([name, flag]) => [
        name,
        [[`label m --out o --images i ${flag}`, `label m --out o ${flag}`]],
      ]),
    ),
    classShares: [['label m --out o --class-shares off', 'label m --out o --propagate --class-shares off']],
    reviewPage: [['label m --out o --review-page p', 'label m --out o --review 9 --review-page p']],
    test: [
      ['label m --out o --images i --test', 'label m --out o --test'],
      ['label m --out o --propagate --test', 'label m --out o --test'],
    ],
  },
  data: Object.fromEntries(Object.entries(OF_DATA).map(([name, flag]) => [name, [[`data ${flag}`, `data d ${flag}`]]])),
  preset: Object.fromEntries(
    Object.entries(OF_DATA).map(([name, flag]) => [name, [[`preset ${flag}`, `preset --data d ${flag}`]]]),
  ),
  worker: ofConnections('worker'),
  status: ofConnections('status'),
  scaling: {
    ...Object.fromEntries(
      Object.entries(OF_DATA).map(([name, flag]) => [name, [[`scaling ${flag}`, `scaling --data d ${flag}`]]]),
    ),
    hostfile: [['scaling --hostfile hosts', 'scaling --ranks 2 --hostfile hosts']],
    fastSum: [
      ['scaling --nodes 1 --fast-sum', 'scaling --ranks 2 --fast-sum'],
      ['scaling --ranks 2 --phase label --fast-sum', 'scaling --ranks 2 --phase all --fast-sum'],
    ],
    steps: [['scaling --phase label --steps 5', 'scaling --phase pretrain --steps 5']],
    strategy: [['scaling --phase label --strategy data', 'scaling --phase all --strategy data']],
  },
};

describe('the table of options', () => {
  it.each(commands.map((command) => [command.name(), command] as const))(
    'has every option of %s, and no other (case 28)',
    (name, command) => {
      const options = command.options.map((option) => option.attributeName());
      expect(Object.keys(OPTION_RULES[name] ?? {}).sort()).toEqual(options.sort());
    },
  );

  it('has an example of each option that does not always have an effect', () => {
    for (const [command, rules] of Object.entries(OPTION_RULES)) {
      const conditional = Object.keys(rules).filter((option) => rules[option]!.length > 0);
      expect(Object.keys(EXAMPLES[command] ?? {}).sort(), command).toEqual(conditional.sort());
    }
  });
});

const all = Object.values(EXAMPLES).flatMap((options) =>
  Object.entries(options).flatMap(([name, examples]) => examples.map((example) => [name, ...example] as const)),
);

it.each(all)(
  '%s has no effect in "%s" and is refused, and has one in "%s" (case 28)',
  async (name, refused, effective) => {
    const flag = name === 'local' ? '--no-local' : flagOf(name);
    await expect(begun(refused)).rejects.toMatchObject({
      code: 'E_USAGE',
      message: expect.stringContaining(' has no effect '),
      fix: expect.stringContaining('leave --'),
    });
    expect(refused).toContain(flag);
    await expect(begun(effective)).resolves.toBeUndefined();
  },
);
