// `pseudolabel setup`: has only the help of this command. The launcher does the work (scripts/pseudolabel.mjs).
import type { Command } from 'commander';
import { type Context, usage } from './options.js';

const HELP = `
The first start of any command does the same. It takes TensorFlow from a Python wheel (pip and a C++ compiler, about a minute), once for each user.

Example:
  $ pseudolabel setup`;

export function addSetup(program: Command, _: Context): void {
  program
    .command('setup')
    .description('make the native libraries ready, or say what is missing')
    .addHelpText('after', HELP)
    .action(() => {
      throw usage('setup is done by the launcher', 'start it as `pseudolabel setup`, without other options');
    });
}
