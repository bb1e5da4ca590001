// Says how far alpha(t) rises in a stage, so that the user notices a run in which no pseudo-label ever counts.
import { percent, whole } from '../format.js';
import { alpha } from '../methods/alpha.js';
import type { Stage } from './stage.js';

export interface Ramp {
  readonly stage: Stage['name'];
  /** The steps of the stage that are trained. */
  readonly steps: number;
  /** The steps before alpha(t) is above 0 for the first time. */
  readonly stepsAtZero: number;
  /** alpha(t) of the last step; `final` is what it would rise to. */
  readonly last: number;
  readonly final: number;
}

/**
 * Returns the ramp of a stage, or undefined if the stage has no pseudo-labels. maxSteps: the number of steps after
 * which a stage ends early.
 */
export function rampOf(stage: Stage, maxSteps = Number.POSITIVE_INFINITY): Ramp | undefined {
  const { method } = stage;
  if (!('alpha' in method) || method.alpha === undefined) return undefined;
  const schedule = method.alpha;
  const steps = Math.min(stage.steps, maxSteps);
  let stepsAtZero = 0;
  while (stepsAtZero < steps && alpha(schedule, stepsAtZero) === 0) stepsAtZero++;
  return { stage: stage.name, steps, stepsAtZero, last: alpha(schedule, steps - 1), final: schedule.final };
}

/** Returns one line for each stage of a run that has pseudo-labels. */
export const rampLines = (stages: readonly Stage[], maxSteps?: number): string[] =>
  stages.flatMap((stage) => {
    const ramp = rampOf(stage, maxSteps);
    return ramp ? [rampLine(ramp)] : [];
  });

export function rampLine({ stage, steps, stepsAtZero, last, final }: Ramp): string {
  if (stepsAtZero === steps)
    return `${stage}: no pseudo-label will count, since alpha(t) stays 0 in all its ${whole(steps)} steps`;
  const zero = `${stage}: alpha(t) is 0 in ${whole(stepsAtZero)} of ${whole(steps)} steps (${percent(stepsAtZero / steps, 0)})`;
  const end = last < final ? `${last.toFixed(2)}, not to its final ${final}` : `${final}`;
  return `${zero}, then rises to ${end}`;
}
