// Tests command lines that users paste: they have the form in which the program was called, and a shell reads their
// words back unchanged.
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { invocationOf, resumeArgs, withResumeLine } from '../../../coordinator/commands/invocation.js';
import { programOf } from '../../../coordinator/commands/program.js';
import { PseudolabelError } from '../../../src/errors.js';
import { shellWord } from '../../../src/option-text.js';
import { contextFor, terminalWith } from '../terminal/streams.js';

const ROOT = '/home/me/pseudo label';
const CHECKOUT = { typed: [], cwd: ROOT, root: ROOT, isCheckout: true };
const LAUNCHER = `${ROOT}/scripts/pseudolabel.mjs`;
const OF_NPM = { npm_package_json: `${ROOT}/package.json`, INIT_CWD: ROOT, PSEUDOLABEL_LAUNCHER: LAUNCHER };
const BY_NPM_RUN = { ...OF_NPM, npm_command: 'run', npm_lifecycle_event: 'pseudolabel' };
const ON_PATH = { PATH: '/usr/bin:/usr/local/bin', PSEUDOLABEL_LAUNCHER: '/usr/local/bin/pseudolabel' };
const INSTALLED = {
  typed: [],
  cwd: '/home/me/work',
  root: '/usr/local/lib/node_modules/pseudolabel',
  isCheckout: false,
};

describe('a word', () => {
  it.each([
    'plain',
    'runs/my run',
    "it's",
    '$HOME `date` "x" \\',
    '~/x',
    '*',
    '',
    'a\nb',
    '--listen=[::1]:7171',
    '-',
    '#1',
    '=ls',
  ])('%j is read back by a shell as it is (case 19)', (word) => {
    const { stdout } = spawnSync('sh', ['-c', `printf '%s' ${shellWord(word)}`], { encoding: 'utf8' });
    expect(stdout).toBe(word);
  });
});

describe('a command line has the form of the call (case 19)', () => {
  const resume = ['train', '--resume', 'runs/my run'];
  it.each([
    ['npm run', { ...CHECKOUT, env: BY_NPM_RUN }, "npm run -s pseudolabel -- train --resume 'runs/my run'"],
    [
      'npm run from another folder',
      { ...CHECKOUT, env: { ...BY_NPM_RUN, INIT_CWD: '/home/me' } },
      `npm --prefix '${ROOT}' run -s pseudolabel -- train --resume 'runs/my run'`,
    ],
    [
      'node',
      { ...CHECKOUT, env: { PSEUDOLABEL_LAUNCHER: LAUNCHER } },
      "node scripts/pseudolabel.mjs train --resume 'runs/my run'",
    ],
    [
      'node from another folder',
      { ...CHECKOUT, cwd: '/home/me', env: { PSEUDOLABEL_LAUNCHER: LAUNCHER } },
      "node 'pseudo label/scripts/pseudolabel.mjs' train --resume 'runs/my run'",
    ],
    [
      'node in the folder of scripts',
      { ...CHECKOUT, cwd: `${ROOT}/scripts`, env: { PSEUDOLABEL_LAUNCHER: LAUNCHER } },
      "node ./pseudolabel.mjs train --resume 'runs/my run'",
    ],
    [
      'npm test of ours',
      { ...CHECKOUT, env: { ...OF_NPM, npm_lifecycle_event: 'test' } },
      'node scripts/pseudolabel.mjs',
    ],
    [
      'npx',
      {
        ...INSTALLED,
        env: { npm_command: 'exec', PSEUDOLABEL_LAUNCHER: '/home/me/work/node_modules/.bin/pseudolabel' },
      },
      'npx pseudolabel train',
    ],
    [
      "a script of another package's",
      {
        ...INSTALLED,
        env: {
          npm_package_json: '/home/me/work/package.json',
          npm_lifecycle_event: 'start',
          PSEUDOLABEL_LAUNCHER: '/home/me/work/node_modules/.bin/pseudolabel',
        },
      },
      'npx pseudolabel train',
    ],
    ['its name', { ...INSTALLED, env: ON_PATH }, "pseudolabel train --resume 'runs/my run'"],
    [
      'its path',
      { ...INSTALLED, env: { ...ON_PATH, PSEUDOLABEL_LAUNCHER: '/opt/bin/pseudolabel' } },
      '/opt/bin/pseudolabel train',
    ],
    [
      'mpirun',
      { ...INSTALLED, env: { ...ON_PATH, OMPI_COMM_WORLD_SIZE: '4' } },
      'mpirun -np 4 pseudolabel train --resume',
    ],
  ])('of %s', (_, call, start) => {
    expect(invocationOf(call).line(resume).slice(0, start.length)).toBe(start);
  });

  it('of npm start, which is the command reproduce', () => {
    const { line } = invocationOf({ ...CHECKOUT, env: { ...OF_NPM, npm_lifecycle_event: 'start' } });
    expect(line(['reproduce', '--resume', 'runs/a'])).toBe('npm start -- --resume runs/a');
    expect(line(['train', '--resume', 'runs/a'])).toBe('npm run -s pseudolabel -- train --resume runs/a');
  });

  it('for another machine works in a checkout there, or where the package is installed (case 31)', () => {
    const join = ['worker', 'wss://10.0.0.1:7171'];
    const elsewhere = (call: Parameters<typeof invocationOf>[0]) => invocationOf(call).lineElsewhere(join);
    const inCheckout = 'npm run -s pseudolabel -- worker wss://10.0.0.1:7171';
    expect(elsewhere({ ...CHECKOUT, env: BY_NPM_RUN })).toBe(inCheckout);
    expect(elsewhere({ ...CHECKOUT, cwd: '/', env: { PSEUDOLABEL_LAUNCHER: LAUNCHER } })).toBe(inCheckout);
    expect(elsewhere({ ...INSTALLED, env: ON_PATH })).toBe('pseudolabel worker wss://10.0.0.1:7171');
    expect(elsewhere({ ...INSTALLED, env: { npm_command: 'exec' } })).toBe(
      'npx pseudolabel worker wss://10.0.0.1:7171',
    );
  });
});

describe('the line by which a run goes on (case 32)', () => {
  const cluster = ['--listen', '10.0.0.1:7171', '--nodes=2', '--dashboard', '--no-local', '--json', 'a b.json'];
  const typed = [
    'train',
    '--scenario',
    'nn',
    ...cluster,
    '--out',
    'runs/my run',
    '--quick',
    '--hidden=64',
    '--workers',
    '2',
  ];
  const train = programOf(contextFor(terminalWith(false).terminal)).commands.find((each) => each.name() === 'train')!;

  it('has what is about this start, and not what the run directory knows', () => {
    expect(resumeArgs(train, typed, 'runs/my run')).toEqual(['train', '--resume', 'runs/my run', ...cluster]);
  });

  it('follows a stop, and each remedy that is to resume', () => {
    const { invocation } = contextFor(terminalWith(false).terminal, typed);
    const fixOf = (code: 'E_INTERRUPTED' | 'E_NODES' | 'E_OUTPUT', fix: string) =>
      (withResumeLine(new PseudolabelError(code, 'it ended', fix), train, 'runs/a', invocation) as PseudolabelError)
        .fix;
    const line = `pseudolabel train --resume runs/a ${cluster.join(' ')}`;
    expect(fixOf('E_INTERRUPTED', 'anything')).toBe(`go on with: ${line}`);
    expect(fixOf('E_NODES', 'start a node, then go on with --resume')).toBe(
      `start a node, then go on with --resume: ${line}`,
    );
    expect(fixOf('E_OUTPUT', 'free some space')).toBe('free some space');
  });
});
