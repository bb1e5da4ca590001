// Tests --help, help and completion: every option is under a heading, and a shell can run the scripts.
import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { completionLines } from '../../../coordinator/commands/completion.js';
import { programOf } from '../../../coordinator/commands/program.js';
import { normalise } from '../../../src/training/config.js';
import { contextFor, terminalWith } from '../terminal/streams.js';

const newProgram = () => programOf(contextFor(terminalWith(false).terminal), async () => undefined);
const program = newProgram();
const helpOf = (name: string): string => program.commands.find((each) => each.name() === name)!.helpInformation();

describe('--help', () => {
  it('puts each command and each option of commands with many under a heading', () => {
    for (const text of [program.helpInformation(), ...program.commands.map((command) => command.helpInformation())])
      expect(text).not.toMatch(/^Other:/m);
  });

  it('shows the options of train in groups, in the order in which a newcomer needs them', () => {
    const headings = [...helpOf('train').matchAll(/^(\S.*):$/gm)].map(([, heading]) => heading);
    expect(headings.slice(0, 2)).toEqual(['What is trained', 'Data']);
    expect(headings.at(-1)).toBe('Output');
    expect(headings).toEqual(expect.arrayContaining(['Network', 'Method', 'Numbers', 'Parallel', 'Cluster']));
  });

  it('marks what is required, and says a default and the choices once', () => {
    expect(helpOf('worker')).toContain('the token of the run (required)');
    expect(helpOf('worker')).not.toContain('(300; 300)');
    expect(helpOf('train')).toContain('(pl; one of nn, drop, pl, dae)');
  });

  it('says what own images with few labels have where nothing is given, in train alone', () => {
    const plain = (name: string) => helpOf(name).replaceAll(/\s+/g, ' ');
    const preset = '(best; modern for images of your own of which some have no label; one of modern,';
    expect(plain('train')).toContain(preset);
    expect(plain('sweep')).toContain('(best; one of modern, best,');
    const { model, members, shards } = normalise({ preset: 'modern' });
    const { members: more } = normalise({ preset: 'modern', effort: 'high' });
    expect(plain('train')).toContain(`(dense; in the preset modern, ${model})`);
    expect(plain('train')).toContain(`(1; in the preset modern, ${members}, or ${more} with --effort high)`);
    const { shards: usual } = normalise({});
    expect(plain('train')).toContain(`(${usual}; ${shards} where gradients are summed, as in the preset modern)`);
  });
});

describe('help', () => {
  const helped = async (...words: string[]) => {
    const fresh = newProgram();
    fresh.configureOutput({ writeOut: () => undefined });
    for (const command of fresh.commands) command.configureOutput({ writeOut: () => undefined });
    return fresh.parseAsync(['help', ...words], { from: 'user' }).catch((error: Error) => error);
  };

  it('suggests the command that was meant', async () => {
    expect(await helped('trian')).toMatchObject({ message: expect.stringContaining('Did you mean train?') });
  });

  it('is that of the command, or of the program', async () => {
    for (const words of [['train'], []]) expect(await helped(...words)).toMatchObject({ exitCode: 0 });
  });
});

describe('completion', () => {
  /** Returns what bash would offer for a line whose last word is being typed. */
  function offered(...words: string[]): string[] {
    const script = [
      ...completionLines(program, 'bash'),
      `COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')})`,
      `COMP_CWORD=${words.length - 1}`,
      '_pseudolabel',
      `echo "\${COMPREPLY[*]}"`,
    ];
    return execFileSync('bash', ['-c', script.join('\n')], { encoding: 'utf8' })
      .trim()
      .split(/\s+/);
  }

  it('in bash, offers commands, the flags of a command and the values of a flag', () => {
    expect(offered('pseudolabel', 'tr')).toEqual(['train']);
    expect(offered('pseudolabel', 'help', 'eval')).toEqual(['evaluate']);
    expect(offered('pseudolabel', 'train', '--scen')).toEqual(['--scenario']);
    expect(offered('pseudolabel', 'train', '--scenario', '')).toEqual(['nn', 'drop', 'pl', 'dae']);
    expect(offered('pseudolabel', 'train', '--out', '')).toEqual(['']); // Here bash offers files.
  });

  it('has each flag of each command in every shell, and no hidden one', () => {
    for (const shell of ['bash', 'zsh', 'fish'] as const) {
      const text = completionLines(program, shell).join('\n');
      for (const { long, hidden } of program.commands.flatMap(({ options }) => options))
        expect(text.includes(shell === 'fish' ? ` -l ${long!.slice(2)} ` : long!), `${shell} ${long}`).toBe(!hidden);
    }
  });
});
