// The identity of a run: what must be the same when it is resumed, since its weights depend on it.
import type { Identity } from '../../src/checkpoint/checkpoint.js';
import { sha256OfParameters } from '../../src/checksum.js';
import { DATA_OPTIONS } from '../../src/data/options.js';
import type { RunConfig } from '../../src/training/config.js';
import type { ResolvedRun } from './resolved-run.js';

/**
 * Returns the options that the weights of a run depend on, besides its data and its stages. The number of workers and
 * the times of checkpoints are not among them.
 */
export function identityOf(config: RunConfig): Record<string, unknown> {
  const { workers, checkpointEvery, checkpointSeconds, keepCheckpoints, stages, ...identity } = config;
  return Object.fromEntries(Object.entries(identity).filter(([option]) => !(option in DATA_OPTIONS)));
}

/**
 * Returns what identifies a run: its checkpoints fit no other run. The strategies are those that were chosen, not
 * `auto`.
 */
export function identityOfRun({ config, dataset, stages, strategies, parameters }: ResolvedRun): Identity {
  // A start is identified by its parameters, not by its path.
  const { strategy: _, start: __, ...identity } = identityOf(config);
  const { seed, shards } = config;
  const start = parameters && { startSha256: sha256OfParameters(parameters) };
  // Older checkpoints name a precision, because there were two.
  return {
    config: { ...identity, precision: 'f32', stages, strategies, ...start },
    seed,
    shards,
    dataSha256: dataset.sha256,
  };
}
