// Defines a machine of a cluster: what the coordinator asks of its own threads and of nodes alike. It measures the speed
// of each, and shares work among them even if some are lost.
import type { Subtree } from '../../../src/collectives/tree.js';
import type { Model } from '../../../src/models/model.js';
import type { GradientResult, PredictResult, PredictTask } from '../../../src/models/tasks.js';
import type { Logits, TensorResult, TensorShardRange, TensorStep } from '../../../src/models/tensor-tasks.js';
import type { Executor, Ranges, ShardStep } from '../../../src/training/executor.js';
import { shardCountOf, type TensorCut } from '../tensor-cut.js';
import type { DoneStep } from './replay-log.js';

export interface Machine {
  readonly workers: number;
  /** Rows of training steps per millisecond; undefined before it is measured. */
  readonly speed: number | undefined;
  readonly tensorShards: TensorShardOwner;
  /** Is called when the machine is given nothing to do in a step. */
  skippedStep(): void;
  gradients(steps: readonly ShardStep[]): Promise<Contribution>;
  readonly graph: GraphMachine;
  predict(model: Model, set: PredictTask['set'], ranges: Ranges): Promise<PredictResult[]>;
}

/** The part of an executor that works on a graph of images. */
export type GraphMachine = Pick<Executor, 'describe' | 'neighbours'>;

/** A machine's part of a data-parallel step. */
export interface Contribution {
  readonly results: readonly GradientResult[];
  /**
   * Sums that arrive in the gradient buffers here, each in the buffer of its first shard. A shard outside all subtrees
   * has its gradient in its own buffer.
   */
  readonly subtrees: readonly Subtree[];
  /** Resolves when the first `length` floats of each sum are here. Rejects with MachineLost. */
  arrived(length: number): Promise<void>;
  /** Is there only if the machine is a node. */
  readonly elsewhere?: Elsewhere;
}

export interface Elsewhere {
  /** Stops taking what is still being sent, because others compute the same shards. */
  revoke(): void;
  /** Ends the connection of the node because of what it sent. */
  lose(message: string): MachineLost;
}

/**
 * A machine as the owner of tensor shards. If it is a node, all methods but release() and lose() reject with MachineLost.
 */
export interface TensorShardOwner {
  /** Whether the state of its tensor shards is in the coordinator's arena. */
  readonly isHere: boolean;
  /** Whether the machine wants to leave as soon as its state is at the coordinator. */
  readonly isLeaving: boolean;
  /** Copies the state of these tensor shards from the coordinator's arena to the machine. */
  take(cut: TensorCut, range: TensorShardRange): Promise<void>;
  /** Repeats steps that are done, from the values that the coordinator sent in them. */
  replay(steps: readonly DoneStep[], range: TensorShardRange): Promise<void>;
  forward(step: TensorStep, range: TensorShardRange): Promise<MachinePass>;
  /** Copies the state of these tensor shards from the machine to the coordinator's arena. */
  give(cut: TensorCut, range: TensorShardRange): Promise<void>;
  /** Ends the ownership: the machine has no tensor shards any longer. */
  release(): void;
  /** Ends the connection of the node because of what it sent. */
  lose(why: string): void;
}

/** A pass of a tensor-parallel step over a machine's tensor shards. */
export interface MachinePass {
  /** The sum of each subtree of shards in the machine's range. */
  readonly sums: readonly Logits[];
  /** Does the next pass of the step with these values. */
  onward(values: Float32Array): Promise<MachinePass>;
  /** Takes the values after the last pass. Resolves when the shards are updated, to the results of workers here. */
  backward(values: Float32Array): Promise<readonly TensorResult[]>;
}

/** Says that a machine was lost, so that others have to do its work. The results of the run stay the same. */
export class MachineLost extends Error {
  override readonly name = 'MachineLost';

  constructor(machine: string, cause: unknown) {
    super(`${machine} was lost: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

/** The weight of the latest step in the mean. A change shows after about ten steps; an outlier has little effect. */
const LATEST = 0.1;
/** The steps that are not measured, because the machine is still building its networks. */
const WARM = 3;
/**
 * A slow machine may get no work, and is then never measured again. So each step without work raises its assumed speed
 * by this part, until it is tried. A machine that is twenty times slower than others is tried every few hundred steps.
 */
const RETRY_GROWTH = 0.005;

/** The measured speed of a machine. */
export class Speed {
  private steps = 0;
  private mean = 0;

  /** The speed; undefined until enough steps are measured. */
  get rowsPerMillisecond(): number | undefined {
    return this.steps > WARM ? this.mean : undefined;
  }

  /** Notes a step in which the machine had nothing to do. */
  skippedStep(): void {
    this.mean *= 1 + RETRY_GROWTH;
  }

  /** Adds a measurement. rows: those of a whole step, or the rows that would be as much work. */
  add(rows: number, milliseconds: number): void {
    if (rows === 0) return;
    this.steps++;
    if (this.steps <= WARM) return;
    const latest = rows / Math.max(milliseconds, 0.01);
    this.mean = this.mean === 0 ? latest : (1 - LATEST) * this.mean + LATEST * latest;
  }
}

export const rowsOfResults = (results: readonly { readonly rows: number }[]): number =>
  results.reduce((sum, { rows }) => sum + rows, 0);

export function rowsOfSteps(steps: readonly ShardStep[]): number {
  return steps.reduce((sum, { labelled, unlabelled, shards }) => {
    return sum + (labelled?.labels.length ?? 0) + (unlabelled?.batch ?? 0) / shards;
  }, 0);
}

/**
 * Returns the work of some tensor shards in a step, as the number of rows of the whole model that would cost as much.
 */
export function workOf(step: TensorStep, { first, end }: TensorShardRange, pixels: number): number {
  const rows = step.labelledImages.length / pixels + step.unlabelledBatch;
  return (rows * (end - first)) / shardCountOf(step);
}

/** A machine, and the positions of its items. */
export type Part = readonly [Machine, readonly number[]];

/**
 * Has machines do all items. If a machine is lost, others do its items. Other errors are thrown when all machines have
 * ended.
 * @param share shares out this number of items. It throws if no machine is there.
 */
export async function spread<T, R>(
  items: readonly T[],
  share: (count: number) => Promise<readonly Part[]>,
  work: (machine: Machine, items: readonly T[]) => Promise<readonly R[]>,
): Promise<R[]> {
  const results: R[] = [];
  let open = items.map((_, position) => position);
  while (open.length > 0) {
    const parts = (await share(open.length)).map(([machine, of]) => [machine, of.map((i) => open[i]!)] as const);
    const doPart = ([machine, positions]: Part) =>
      work(
        machine,
        positions.map((position) => items[position]!),
      );
    const settled = await Promise.allSettled(parts.map(doPart));
    open = settled.flatMap((outcome, p) => {
      const positions = parts[p]![1];
      if (outcome.status === 'rejected') {
        if (outcome.reason instanceof MachineLost) return positions;
        throw outcome.reason;
      }
      positions.forEach((position, i) => {
        results[position] = outcome.value[i]!;
      });
      return [];
    });
  }
  return results;
}
