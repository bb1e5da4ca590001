// Into how many shards a step is cut: the number that the bits of a run depend on, as they do not on the number of workers.
import type { GradientCodecName } from '../collectives/gradient-codec.js';
import type { MethodName } from '../methods/methods.js';
import { isByRows } from './preset-method.js';

/** What of a run's options decides it. */
interface Sharded {
  readonly preset: string;
  readonly scenario: string;
  readonly strategy: 'auto' | 'data' | 'tensor';
  readonly wire: GradientCodecName;
  readonly fastSum?: true | undefined;
  readonly augment?: string | undefined;
  readonly method?: MethodName | undefined;
}

/** The option that says something of gradients, which there are none of tensor parallel. */
export function gradientOption({ wire, fastSum }: Pick<Sharded, 'wire' | 'fastSum'>): string | undefined {
  if (wire !== 'f32') return `--wire ${wire}`;
  return fastSum ? '--fast-sum' : undefined;
}

/**
 * Shards of a run of which nothing is said. The same on every machine, since the bits of a run depend on it: enough for the cores that most have,
 * and cheap on fewer. Hidden units cost next to nothing to cut; rows cost a gradient as long as the parameters for each shard, so that there are fewer.
 */
export function defaultShards(config: Sharded): number {
  const { preset, strategy, augment = 'none', method = 'supervised', scenario } = config;
  if (strategy !== 'auto') return strategy === 'data' ? 4 : 8;
  // The autoencoder of dae is tensor parallel in any case.
  const isCutIntoRows =
    preset === 'modern' ||
    gradientOption(config) !== undefined ||
    ((augment !== 'none' || isByRows(method)) && scenario !== 'dae');
  return isCutIntoRows ? 4 : 8;
}

/** As many shards, or those that a run has where nobody says how many and there are fewer images than that. */
export const shardsFor = (config: Sharded & { readonly shards: number }, unlabelled: number): number =>
  config.shards === defaultShards(config) ? Math.max(1, Math.min(config.shards, unlabelled)) : config.shards;
