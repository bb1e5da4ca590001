// Chooses the number of shards that a step is split into. The bits of a run depend on it, but not on the number of
// workers.
import type { GradientCodecName } from '../collectives/gradient-codec.js';
import { type MethodName, methodOf } from '../methods/methods.js';

/** The options of a run that decide the number of shards. */
interface Sharded {
  readonly preset: string;
  readonly scenario: string;
  readonly strategy: 'auto' | 'data' | 'tensor';
  readonly wire: GradientCodecName;
  readonly fastSum?: true | undefined;
  readonly augment?: string | undefined;
  readonly method?: MethodName | undefined;
}

/** Returns the option that is about gradients, if there is one. Tensor-parallel steps exchange no gradients. */
export function gradientOption({ wire, fastSum }: Pick<Sharded, 'wire' | 'fastSum'>): string | undefined {
  if (wire !== 'f32') return `--wire ${wire}`;
  return fastSum ? '--fast-sum' : undefined;
}

/**
 * Returns the number of shards if the user does not give one. It is the same on every machine, because the bits of a
 * run depend on it: enough for the cores that most machines have, and cheap on fewer. Splitting hidden units costs next
 * to nothing. Splitting rows costs a gradient as long as the parameters for each shard, so that there are fewer. Networks
 * of layers split rows too, but have few parameters, and keep the larger number in the preset best.
 */
export function defaultShards(config: Sharded): number {
  const { preset, strategy, augment = 'none', method, scenario } = config;
  if (strategy !== 'auto') return strategy === 'data' ? 4 : 8;
  const isAugmented = augment !== 'none' || (method && methodOf({ name: method }).augmentation) !== undefined;
  // The autoencoder of dae is always tensor parallel.
  const isCutIntoRows =
    preset === 'modern' || gradientOption(config) !== undefined || (isAugmented && scenario !== 'dae');
  return isCutIntoRows ? 4 : 8;
}

/**
 * Returns the given number of shards. If it is the default, and there are fewer unlabelled images than that, it returns
 * their number.
 */
export const shardsFor = (config: Sharded & { readonly shards: number }, unlabelled: number): number =>
  config.shards === defaultShards(config) ? Math.max(1, Math.min(config.shards, unlabelled)) : config.shards;
