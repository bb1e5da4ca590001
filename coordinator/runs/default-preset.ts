// Chooses the preset of a run on the user's own images if the user gives no options of training. Commands and programs
// use the same choice.
import { type Dataset, knownCount } from '../../src/data/dataset.js';
import { normalise, type RunConfig } from '../../src/training/config.js';

/** Options that say how a run is trained. */
const CHOICES = [
  ...['scenario', 'preset', 'hidden', 'model', 'start', 'method', 'strategy', 'refresh', 'threshold'],
  ...['classShares', 'augment', 'set', 'stages'],
] as const;
/** What changes a training but does not say which. A user who gives one alone has not asked for another preset. */
const CHANGES: Readonly<Partial<Record<(typeof CHOICES)[number], string>>> = {
  classShares: 'class shares',
  augment: 'ways to change images',
  set: 'settings',
  threshold: 'a threshold',
  refresh: 'a refresh',
};
/** With more images, the graphs of the preset modern take longer than a user expects who has not asked for them. */
const MOST_BY_DEFAULT = 2 ** 18;

export interface PresetChoice {
  readonly config: RunConfig;
  /** What the user should know of the choice. */
  readonly note: string | undefined;
}

/**
 * Chooses the preset modern if some images have no label, however many have one. So a user who labels more images
 * trains in the same way as before. Chooses the preset best if all labels are known and some are hidden, because the
 * shares of the classes in such a benchmark need not be those of its labels.
 * @param given the options by name; the others have their defaults in `config`
 */
export function withDefaultPreset(
  config: RunConfig,
  given: Readonly<Partial<Record<(typeof CHOICES)[number] | 'shards', unknown>>>,
  { train: { count, labels } }: Dataset,
): PresetChoice {
  const isKnown = knownCount(labels) === count;
  const choices = CHOICES.filter((choice) => given[choice] !== undefined);
  if (choices.length > 0) {
    const changes = choices.map((choice) => CHANGES[choice]);
    const isAsked = isKnown || count > MOST_BY_DEFAULT || changes.includes(undefined);
    return { config, note: isAsked ? undefined : leftNote(changes.join(' and ')) };
  }
  const why = isKnown
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

/** Says that the default preset was left for what the user gave, which trains another network for longer. */
const leftNote = (changes: string): string =>
  `preset: best, a dense network, since ${changes} without a preset change it; --preset modern is the default for images of which some have no label`;
