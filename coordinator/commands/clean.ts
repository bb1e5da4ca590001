// `pseudolabel clean`: lists what is kept in the user's caches and state, and removes it.
import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { byteText, counted } from '../../src/format.js';
import { type Inventory, type Kept, type KeptKind, keptFiles, removeKept } from '../kept-files.js';
import { tableLines } from '../terminal/table.js';
import { type Context, usage } from './options.js';

interface CleanFlags {
  readonly dryRun?: boolean;
  readonly all?: boolean;
  readonly yes?: boolean;
  readonly cache?: string;
  readonly json?: string;
}

const HELP = `
Removes decoded pictures, libraries of other versions, and the Python tools of tests and benches. What this installation needs, and the token and the
certificate of coordinators, stay; --all removes them, too. Files that this program does not know are left alone.

Examples:
  $ pseudolabel clean --dry-run
  $ pseudolabel clean --yes`;

export function addClean(program: Command, context: Context): void {
  program
    .command('clean')
    .description('what is kept in caches and state, with sizes, and remove it')
    .option('--dry-run', 'only say what there is')
    .option('--all', 'also what this installation needs, and the token and the certificate of coordinators')
    .option('--yes', 'do not ask')
    .option('--cache <dir>', "the folder that was given to --cache elsewhere (the user's cache folder)")
    .option('--json <file>', 'write what was found and removed as JSON; - for stdout')
    .addHelpText('after', HELP)
    .action((flags: CleanFlags) => clean(flags, context));
}

async function clean({ dryRun = false, all = false, yes = false, cache, json }: CleanFlags, context: Context) {
  const { terminal } = context;
  terminal.doing('looking at what is kept');
  const inventory = await keptFiles(process.env, cache);
  const goes = inventory.kept.filter(({ neededBy }) => all || neededBy === undefined);
  const isAsked = !dryRun && !yes && goes.length > 0;
  terminal.doing(undefined);
  if (isAsked) {
    if (!process.stdin.isTTY)
      throw usage('clean was not told to remove anything', 'add --yes, or --dry-run to look first');
    for (const line of foundLines(inventory, goes)) terminal.note(line);
  }
  const isMeant = !dryRun && (!isAsked || (await confirmed(goes, context)));
  if (isMeant) await removeKept(goes);
  const removed = isMeant ? goes : [];
  await terminal.deliver(
    () => [...(isAsked ? [] : foundLines(inventory, goes)), outcomeLine(goes, removed)],
    { ...inventory, removed: removed.map(({ path }) => path), removedBytes: bytesIn(removed) },
    json,
  );
}

const bytesIn = (kept: readonly Kept[]): number => kept.reduce((sum, { bytes }) => sum + bytes, 0);

const NAMES: Readonly<Record<KeptKind, string>> = {
  images: 'decoded pictures',
  libraries: 'libraries',
  tools: 'tools of tests and benches',
  secrets: 'token and certificate',
};

function foundLines({ kept, unknown }: Inventory, goes: readonly Kept[]): string[] {
  // There may be thousands of images, so they make one row.
  const images = kept.filter(({ kind }) => kind === 'images');
  const groups = [
    ...(images.length > 0 ? [images] : []),
    ...kept.flatMap((each) => (each.kind === 'images' ? [] : [[each]])),
  ];
  const rows = groups.map((group) => {
    const [first] = group as [Kept, ...Kept[]];
    const path = group.length === 1 ? first.path : counted(group.length, 'file');
    return [NAMES[first.kind], byteText(bytesIn(group)), goes.includes(first) ? 'goes' : 'stays', path];
  });
  const columns = [
    { title: 'what', align: 'left' as const },
    { title: 'size', align: 'right' as const },
    ...['', 'where'].map((title) => ({ title, align: 'left' as const })),
  ];
  const stays = kept.filter((each) => !goes.includes(each));
  return [
    ...(rows.length > 0 ? tableLines(columns, rows) : ['nothing is kept']),
    ...stays.map(({ path, neededBy }) => `${path} stays: it is for ${neededBy}`),
    ...unknown.map((path) => `${path} is left alone: this program does not know it`),
  ];
}

function outcomeLine(goes: readonly Kept[], removed: readonly Kept[]): string {
  if (goes.length === 0) return 'nothing to remove';
  if (removed.length > 0) return `${byteText(bytesIn(removed))} removed`;
  return `${byteText(bytesIn(goes))} would be removed: pseudolabel clean --yes`;
}

async function confirmed(goes: readonly Kept[], { signal }: Context): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await lines.question(`remove ${byteText(bytesIn(goes))}? [y/N] `, { signal });
    return /^y(?:es)?$/i.test(answer.trim());
  } finally {
    lines.close();
  }
}
