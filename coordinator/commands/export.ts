// `pseudolabel export`: writes a saved model as a file that other programs load.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import {
  EXPORT_FORMAT_NAMES,
  EXPORT_FORMATS,
  type ExportFormatName,
  exported,
  exportFormatOf,
} from '../../src/export/formats.js';
import { writeAtomically } from '../../src/files/write.js';
import { loadModel } from '../../src/models/saved-model.js';
import { type Context, usage } from './options.js';

interface ExportFlags {
  readonly to?: ExportFormatName;
  readonly json?: string;
}

const HELP = `
The end of <out> says the format, or --to:
${EXPORT_FORMAT_NAMES.map((name) => `  ${name.padEnd(12)} ${EXPORT_FORMATS[name].what}`).join('\n')}
The file has the model as it predicts, with its activation at the end: images go in as floats from 0 to 1 (byte / 255). TensorFlow.js needs no
export: it loads the folder of the model itself.

Examples:
  $ pseudolabel export runs/a mine.onnx
  $ pseudolabel export runs/a/model mine.keras`;

export function addExport(program: Command, context: Context): void {
  program
    .command('export')
    .description('write a saved model as a Keras, ONNX or safetensors file')
    .argument('<model>', 'folder of a saved model, or a run directory')
    .argument('<out>', 'file to write')
    .addOption(new Option('--to <format>', 'the format of the file (that of its name)').choices(EXPORT_FORMAT_NAMES))
    .option('--json <file>', 'write what was exported as JSON; - for stdout')
    .addHelpText('after', HELP)
    .action((folder: string, out: string, flags: ExportFlags) => exportModel(folder, out, flags, context));
}

async function exportModel(folder: string, out: string, { to, json }: ExportFlags, context: Context): Promise<void> {
  const format = to ?? exportFormatOf(out);
  if (!format) {
    const ends = EXPORT_FORMAT_NAMES.map((name) => EXPORT_FORMATS[name].extension).join(', ');
    throw usage(`the end of ${out} says no format`, `let it end in one of ${ends}, or say --to FORMAT`);
  }
  const inRun = join(folder, 'model');
  const model = existsSync(join(inRun, 'model.json')) ? inRun : folder;
  await writeAtomically(out, await exported(await loadModel(model), format));
  await context.terminal.deliver(() => [`${out}: ${model} as ${format}`], { model, out, format }, json);
}
