// `pseudolabel completion`: prints a script with which a shell completes commands, flags and their values.
import { Argument, type Command, type Option } from 'commander';
import type { Context } from './options.js';

const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];

const HELP = `
Where \`pseudolabel\` is a command of your shell (npm install -g, or npm link):

  $ eval "$(pseudolabel completion bash)"                                        # in ~/.bashrc
  $ eval "$(pseudolabel completion zsh)"                                         # in ~/.zshrc, after compinit
  $ pseudolabel completion fish > ~/.config/fish/completions/pseudolabel.fish`;

export function addCompletion(program: Command, { terminal }: Context): void {
  program
    .command('completion')
    .description('a script by which your shell completes commands and flags')
    .addArgument(new Argument('<shell>', 'your shell').choices(SHELLS))
    .addHelpText('after', HELP)
    .action((shell: Shell) => terminal.deliver(() => completionLines(program, shell), undefined, undefined));
}

/** Returns the script for a shell. It has all commands that the program has so far. */
export function completionLines(program: Command, shell: Shell): string[] {
  const commands = program.commands.map((command) => ({
    name: command.name(),
    description: oneLine(command.description()),
    flags: [...command.options.filter(({ hidden }) => !hidden), HELP_FLAG].map(flagOf),
  }));
  return { bash: bashLines, zsh: zshLines, fish: fishLines }[shell](commands);
}

interface Flag {
  /** The flag with its dashes. */
  readonly long: string;
  readonly description: string;
  /** The kind of value that follows the flag. */
  readonly value: 'none' | 'path' | 'other' | readonly string[];
}

interface Listed {
  readonly name: string;
  readonly description: string;
  readonly flags: readonly Flag[];
}

const HELP_FLAG = { long: '--help', flags: '--help', description: 'display help for command' } as const;

function flagOf(option: Option | typeof HELP_FLAG): Flag {
  const { long, flags, description } = option;
  const choices = 'argChoices' in option ? option.argChoices : undefined;
  const [, kind] = /[<[]([^>\]]+)[>\]]/.exec(flags) ?? [];
  const value = kind === undefined ? 'none' : (choices ?? (/^(file|dir|path)$/.test(kind) ? 'path' : 'other'));
  return { long: long!, description: oneLine(description), value };
}

const oneLine = (text: string): string => text.replace(/\s+/g, ' ');

function bashLines(commands: readonly Listed[]): string[] {
  const names = commands.map(({ name }) => name).join(' ');
  const values = commands.flatMap(({ name, flags }) =>
    flags.flatMap(({ long, value }) =>
      typeof value === 'string' ? [] : [`    "${name} ${long}") words="${value.join(' ')}" ;;`],
    ),
  );
  const flags = commands.map(
    ({ name, flags: all }) => `    ${name}) words="${all.map(({ long }) => long).join(' ')}" ;;`,
  );
  return [
    '_pseudolabel() {',
    `  local current="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" command="\${COMP_WORDS[1]}" words=""`,
    '  COMPREPLY=()',
    `  if [ "$COMP_CWORD" -eq 1 ]; then COMPREPLY=($(compgen -W "${names}" -- "$current")); return; fi`,
    `  if [ "$command" = help ]; then COMPREPLY=($(compgen -W "${names}" -- "$current")); return; fi`,
    '  case "$command $before" in',
    ...values,
    '    "completion completion") words="bash zsh fish" ;;',
    '  esac',
    '  if [ -z "$words" ] && [ "$(printf %.1s "$current")" = - ]; then case "$command" in',
    ...flags,
    '  esac; fi',
    '  if [ -n "$words" ]; then COMPREPLY=($(compgen -W "$words" -- "$current")); fi',
    '}',
    'complete -o default -F _pseudolabel pseudolabel',
  ];
}

const zshQuoted = (text: string): string => text.replaceAll("'", "'\\''").replace(/[[\]:]/g, (found) => `\\${found}`);

function zshLines(commands: readonly Listed[]): string[] {
  const action = (value: Flag['value']): string =>
    ({ none: '', path: ':path:_files', other: ':value: ' })[value as string] ??
    `:value:(${(value as string[]).join(' ')})`;
  return [
    '#compdef pseudolabel',
    '_pseudolabel() {',
    '  local -a commands',
    '  commands=(',
    ...commands.map(({ name, description }) => `    '${name}:${zshQuoted(description)}'`),
    '  )',
    '  if (( CURRENT == 2 )); then _describe command commands; return; fi',
    '  local command=$words[2]',
    '  shift words; (( CURRENT-- ))',
    '  case $command in',
    '    help) _describe command commands ;;',
    "    completion) _arguments '1:shell:(bash zsh fish)' ;;",
    ...commands.flatMap(({ name, flags }) => [
      `    ${name}) _arguments \\`,
      ...flags.map(({ long, description, value }) => `      '*${long}[${zshQuoted(description)}]${action(value)}' \\`),
      "      '*:path:_files' ;;",
    ]),
    '  esac',
    '}',
    'compdef _pseudolabel pseudolabel',
  ];
}

const fishQuoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

function fishLines(commands: readonly Listed[]): string[] {
  const ofCommand = (name: string): string => `complete -c pseudolabel -n '__fish_seen_subcommand_from ${name}'`;
  const values = (value: Flag['value']): string =>
    ({ none: '', path: ' -rF', other: ' -x' })[value as string] ?? ` -xa ${fishQuoted((value as string[]).join(' '))}`;
  return [
    ...commands.map(
      ({ name, description }) =>
        `complete -c pseudolabel -n __fish_use_subcommand -f -a ${name} -d ${fishQuoted(description)}`,
    ),
    `${ofCommand('completion')} -f -a 'bash zsh fish'`,
    `${ofCommand('help')} -f -a ${fishQuoted(commands.map(({ name }) => name).join(' '))}`,
    ...commands.flatMap(({ name, flags }) =>
      flags.map(
        ({ long, description, value }) =>
          `${ofCommand(name)} -l ${long.slice(2)}${values(value)} -d ${fishQuoted(description)}`,
      ),
    ),
  ];
}
