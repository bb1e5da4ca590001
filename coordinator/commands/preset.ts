// `pseudolabel preset`: prints every number of a preset as JSON, or the schema of such files.
import { type Command, Option } from 'commander';
import { normalise } from '../../src/training/config.js';
import { ALL_PRESETS } from '../../src/training/presets/presets.js';
import { EFFORTS } from '../../src/training/presets/shared.js';
import { SCENARIOS } from '../../src/training/scenario.js';
import { stagesJsonSchema } from '../../src/training/stage-schema.js';
import { loadData } from '../load-data.js';
import { networkFor } from '../runs/network.js';
import { resolveRun } from '../runs/resolved-run.js';
import { withinLimits } from './number-flags.js';
import { addDataOptions, addMethodChoice, type Context, labelsPerClass, number } from './options.js';

interface PresetFlags {
  readonly schema?: true;
}

const HELP = `
Save the output, change what you like, and train by it: pseudolabel train --stages FILE. The networks in it are for the images and the classes of
--data. An editor that is given the schema knows what each number may be. One number alone is changed by train --set.

Examples:
  $ pseudolabel preset best --scenario dae > mine.json
  $ pseudolabel preset --method fixmatch --model convnet > mine.json
  $ pseudolabel preset paper --data photos/ > mine.json
  $ pseudolabel preset --schema > stages.schema.json`;

export function addPreset(program: Command, context: Context): void {
  const command = program
    .command('preset')
    .description("a preset's stages as JSON: every number of a training")
    .argument('[name]', `one of ${ALL_PRESETS.join(', ')}`, 'best')
    .addOption(new Option('--scenario <name>', 'what to train (pl)').choices(SCENARIOS))
    .addOption(new Option('--effort <name>', 'how long the preset modern may take (normal)').choices(EFFORTS))
    .option('--quick', "a trial: a sixth of the preset's steps")
    .option('--hidden <n>', 'hidden units (5000)', number)
    .option('--model <name>', 'as of train')
    .option('--labels-per-class <n>', 'labelled images of each class, or all', labelsPerClass);
  addDataOptions(addMethodChoice(command))
    .option('--schema', 'print the JSON Schema of stages')
    .addHelpText('after', HELP)
    .action(async (name: string, { schema, ...flags }: PresetFlags) => {
      const value = schema ? stagesJsonSchema() : await stagesOf(name, flags, context);
      await context.terminal.deliver(() => JSON.stringify(value, undefined, 2).split('\n'), value, undefined);
    });
}

/** Returns what `train --stages` reads. */
async function stagesOf(preset: string, flags: object, context: Context) {
  const config = normalise({ ...withinLimits(flags), preset });
  const dataset = await loadData(config, context);
  const { stages } = resolveRun(config, dataset, await networkFor(config, dataset));
  return { scenario: config.scenario, stages };
}
