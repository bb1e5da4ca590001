// Owns `pseudolabel doctor`: what is installed and usable here, and what to do about what is not.
import type { Command } from 'commander';
import type { Colours } from '../terminal/colours.js';
import { diagnose, type Finding } from './installation-check.js';
import type { Context } from './options.js';

const HELP = `
Ends with 1 if something that is needed is wrong. A note is about something that could be better.

Examples:
  $ pseudolabel doctor
  $ pseudolabel doctor --json -`;

export function addDoctor(program: Command, { terminal }: Context): void {
  program
    .command('doctor')
    .description('what is installed, found and usable on this machine, and what to do about what is not')
    .option('--json <file>', 'write the findings as JSON; - for stdout')
    .addHelpText('after', HELP)
    .action(async ({ json }: { json?: string }) => {
      const findings = await diagnose();
      const isUsable = findings.every(({ state }) => state !== 'wrong');
      await terminal.deliver((colours) => linesOf(findings, isUsable, colours), { isUsable, findings }, json);
      if (!isUsable) process.exitCode = 1;
    });
}

function linesOf(findings: readonly Finding[], isUsable: boolean, { green, red, yellow }: Colours): string[] {
  const paint = { ok: green, note: yellow, wrong: red };
  return [
    ...findings.flatMap(({ name, state, found, fix }) => [
      `${paint[state](state.padEnd(5))}  ${name.padEnd(13)}  ${found}`,
      ...(fix === undefined ? [] : [`       fix: ${fix}`]),
    ]),
    isUsable ? green('ready to train') : red('not ready to train'),
  ];
}
