// `pseudolabel help [command]`: shows the help of a command. Commander's own version would answer an unknown name with
// the help of the whole program.
import type { Command } from 'commander';

export function addHelp(program: Command): void {
  program
    .helpCommand(false)
    .command('help')
    .description('display help for a command')
    .argument('[command]', 'its name')
    .action(async (name?: string) => {
      const found = name === undefined ? program : program.commands.find((each) => each.name() === name);
      if (found) return found.help();
      await program.parseAsync([name!], { from: 'user' }); // It throws, and suggests what was meant.
    });
}
