// Defines the headings under which --help lists commands and options, so that users find the few that matter to them.
import type { Command, Option } from 'commander';

/** With fewer options than this there are no headings. */
const FEW = 12;

const words = (text: string): readonly string[] => text.split(' ');

/** Options by their attribute names, in the order in which --help shows them. */
const OPTION_GROUPS: readonly (readonly [heading: string, options: readonly string[]])[] = [
  ['What is trained:', words('scenario scenarios preset effort quick')],
  ['Data:', words('data images format labels size unlabelled followLinks skipBad cache')],
  ['Labels, splits and validation:', words('labelsPerClass split splits splitSeed validation validateEvery test')],
  ['Network:', words('model hidden members start fresh')],
  ['Method:', words('method augment classShares threshold refresh propagate')],
  ['Numbers:', words('schema seed seeds set random stages maxSteps')],
  ['Parallel:', words('workers shards strategy mode phase repeats steps nodes ranks hostfile simulate')],
  [
    'Cluster:',
    words('listen nodes nodesTimeout local tokenFile insecure certificate key wire collective fastSum allowMixed'),
  ],
  [
    'Output:',
    words(
      'out outFormat review reviewPage sortInto json config resume checkpointEvery checkpointSeconds keepCheckpoints dashboard dashboardToken trace logFormat help',
    ),
  ],
];

const COMMAND_GROUPS: readonly (readonly [heading: string, commands: readonly string[]])[] = [
  ['Train:', words('train reproduce sweep preset')],
  ['Data and labels:', words('data label pack')],
  ['Results:', words('evaluate report compare export')],
  ['Several machines:', words('worker status scaling')],
  ['This program:', words('doctor setup clean completion help')],
];

const OTHER = 'Other:';

/** Returns the heading of an option of a command that has many, or undefined if the option is in no group. */
export const groupOf = (command: string, option: string): string | undefined =>
  OPTION_GROUPS.find(
    // `scaling` compares numbers of nodes. For `train`, nodes belong to the cluster.
    ([heading, names]) =>
      names.includes(option) && !(command === 'train' && option === 'nodes' && heading === 'Parallel:'),
  )?.[0];

/**
 * Puts the commands of the program, and the options of each command that has many, under their headings. Must be called
 * when all commands are there.
 */
export function group(program: Command): void {
  for (const command of program.commands) {
    command.helpGroup(COMMAND_GROUPS.find(([, names]) => names.includes(command.name()))?.[0] ?? OTHER);
    const shown = command.options.filter(({ hidden }) => !hidden);
    if (shown.length < FEW) continue;
    for (const option of shown) option.helpGroup(groupOf(command.name(), option.attributeName()) ?? OTHER);
    command.helpOption('-h, --help', 'display help for command');
    helpOptionOf(command)?.helpGroup('Output:');
  }
}

/** Returns the help option. Commander makes it when it is first asked for, and shows it like any other. */
const helpOptionOf = (command: Command): Option | undefined =>
  command
    .createHelp()
    .visibleOptions(command)
    .find(({ long }) => long === '--help');

const ALL = [...OPTION_GROUPS, ...COMMAND_GROUPS];

/** Returns the place of a heading and of an item below it. What is in no table comes last. */
function placeOf(item: Command | Option, heading: string): number {
  const group = ALL.findIndex(([each]) => each === heading);
  const name = 'attributeName' in item ? item.attributeName() : item.name();
  const within = ALL[group]?.[1].indexOf(name) ?? -1;
  return (group < 0 ? ALL.length : group) * 100 + (within < 0 ? 99 : within);
}

/** Settings for Command.configureHelp: groups in the order of the tables, and required options marked. */
export const GROUPED_HELP = {
  groupItems<T extends Command | Option>(_all: T[], shown: T[], headingOf: (item: T) => string): Map<string, T[]> {
    const place = (item: T): number => placeOf(item, headingOf(item));
    const groups = new Map<string, T[]>();
    for (const item of [...shown].sort((a, b) => place(a) - place(b))) {
      const heading = headingOf(item);
      groups.set(heading, [...(groups.get(heading) ?? []), item]);
    }
    return groups;
  },
  optionDescription(option: Option): string {
    const { description, mandatory, argChoices, defaultValue } = option;
    const hasDefault = defaultValue !== undefined && typeof defaultValue !== 'boolean';
    const parts = [
      mandatory && defaultValue === undefined ? 'required' : undefined,
      hasDefault && !description.endsWith(`(${defaultValue})`) ? String(defaultValue) : undefined,
      argChoices && !isNamedIn(argChoices, description) ? `one of ${argChoices.join(', ')}` : undefined,
    ].filter((part) => part !== undefined);
    if (parts.length === 0) return description;
    // Most descriptions end with the option's default, in brackets.
    return description.endsWith(')')
      ? `${description.slice(0, -1)}; ${parts.join('; ')})`
      : `${description} (${parts.join('; ')})`;
  },
};

/** Returns whether a description already names all choices. */
const isNamedIn = (choices: readonly string[], description: string): boolean =>
  choices.every((choice) => description.includes(choice));
