// `pseudolabel report`: builds the report of a run directory again from its files.
import { once } from 'node:events';
import type { Command } from 'commander';
import type { Context } from './options.js';
import { number } from './options.js';

const HELP = `
Training writes it by itself; this is for runs that were interrupted, or came from another version.
The page is one file, which needs no network. The plots are also saved as SVG files, in plots/.

Examples:
  $ pseudolabel report runs/paper-dae
  $ pseudolabel report runs/paper-dae --serve
  $ pseudolabel report runs/reproduction --serve 8765
  $ pseudolabel report runs/reproduction --json -
  $ pseudolabel report runs/scaling`;

export function addReport(program: Command, { terminal, signal }: Context): void {
  program
    .command('report')
    .description('the report of a run, a reproduction, a sweep or a scaling measurement: report.html and plots')
    .argument('<dir>', 'directory of a run, a reproduction, a sweep or a scaling measurement')
    .option('--json <file>', 'write where the report is as JSON; - for stdout')
    .option(
      '--serve [port]',
      'then show a run or a reproduction as its dashboard did, until Ctrl-C (any free port)',
      number,
    )
    .addHelpText('after', HELP)
    .action(async (folder: string, { json, serve }: { json?: string; serve?: number | true }) => {
      const { writeReport } = await import('../report.js');
      terminal.doing('writing the report');
      const report = await writeReport(folder);
      await terminal.deliver(() => [`report: ${report}`], { directory: folder, report }, json);
      if (serve === undefined) return;
      const { serveRecorded } = await import('../dashboard/recorded.js');
      const server = await serveRecorded(folder, serve === true ? 0 : serve);
      terminal.note(`dashboard: ${server.url}`);
      if (!signal.aborted) await once(signal, 'abort');
      await server.close();
    });
}
