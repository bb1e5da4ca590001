// Which preset a run on images of one's own has where nobody says how it is trained: the same for the command line and for programs.
import { type Dataset, knownCount } from '../../src/data/dataset.js';
import { normalise, type RunConfig } from '../../src/training/config.js';

/** Options that say how a run is trained. */
const CHOICES = [
  ...['scenario', 'preset', 'hidden', 'model', 'start', 'method', 'strategy', 'refresh', 'threshold'],
  ...['classShares', 'augment', 'set', 'stages'],
] as const;
/** Of more images, the graphs of the preset modern take longer than anybody expects who has not asked for them. */
const MOST_BY_DEFAULT = 2 ** 18;

export interface PresetChoice {
  readonly config: RunConfig;
  /** What people should know of it. */
  readonly note: string | undefined;
}

/**
 * The preset modern for images of one's own of which some have no label, however many have: a person who labels more of them trains the same way as
 * before. The preset best where all labels are known, and some are hidden: shares of such a benchmark's classes need not be those of its labels.
 * given: the options by name; of those that are not, config has the defaults.
 */
export function withDefaultPreset(
  config: RunConfig,
  given: Readonly<Partial<Record<(typeof CHOICES)[number] | 'shards', unknown>>>,
  { train: { count, labels } }: Dataset,
): PresetChoice {
  if (CHOICES.some((choice) => given[choice] !== undefined)) return { config, note: undefined };
  const why =
    knownCount(labels) === count
      ? 'all of these images have a label'
      : count > MOST_BY_DEFAULT
        ? `a graph of ${count.toLocaleString('en')} images takes long`
        : undefined;
  if (why !== undefined)
    return {
      config,
      note: `preset: best, a dense network, since ${why}; --preset modern trains two convolutional ones and is more accurate`,
    };
  const { shards, ...others } = config;
  return {
    config: normalise({ ...others, ...(given.shards !== undefined && { shards }), preset: 'modern' }),
    note: 'preset: modern, since some of these images have no label; --preset best trains a dense network',
  };
}
