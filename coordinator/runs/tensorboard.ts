// Writes the TensorBoard event file of a run during the run. A resumed run begins another file.
import { join } from 'node:path';
import { appendTo } from '../../src/files/write.js';
import {
  reconstructionsImage,
  recordOf,
  sessionValue,
  startEvent,
  summaryEvent,
  type Value,
  valuesOf,
  versionEvent,
} from '../../src/reporting/tensorboard-file.js';
import type { Stage } from '../../src/training/stage.js';
import type { Position } from '../train.js';
import type { Reconstructions } from './diagnostics.js';
import type { RunListener } from './recorder.js';
import type { Metric, RunResult } from './result.js';

/**
 * Milliseconds for which events are kept in memory. A write for each event would take a core from the workers at every
 * step.
 */
const HELD_MS = 1000;

export class TensorBoard implements RunListener {
  private written: Promise<void> = Promise.resolve();
  private readonly path: string;
  private lastStep: number;
  private held: Uint8Array[] = [];
  private lastWrite = performance.now();

  /** from: the first step of this file. TensorBoard drops what earlier files say about this step and later ones. */
  constructor(
    folder: string,
    private readonly stages: readonly Stage[],
    private readonly classNames: readonly string[],
    private readonly maxSteps: number,
    from: Pick<Position, 'stage' | 'step'>,
    hparams: Readonly<Record<string, number | string | boolean>>,
  ) {
    this.path = join(folder, `events.out.tfevents.${Math.floor(Date.now() / 1000)}.pseudolabel`);
    this.lastStep = this.stepsBefore(from.stage) + from.step;
    this.write(versionEvent(this.when(this.lastStep)));
    this.write(startEvent(this.when(this.lastStep)));
    this.summary(this.lastStep, [sessionValue({ kind: 'start', hparams, time: Date.now() / 1000 })]);
  }

  /** Flushes the events, because a run that resumes here does not write them again. */
  saved(): void {
    this.flush();
  }

  measured(metric: Metric): void {
    const stage = this.stages.findIndex(({ name }) => name === metric.stage);
    this.lastStep = this.stepsBefore(stage) + metric.step;
    this.summary(this.lastStep, valuesOf(metric, this.classNames));
  }

  reconstructed({ images, ...size }: Reconstructions): void {
    this.summary(this.lastStep, [reconstructionsImage(size, images)]);
  }

  /** Adds the results of the run. */
  ended({ validationAccuracy, testAccuracy }: Pick<RunResult, 'validationAccuracy' | 'testAccuracy'>): void {
    const final = (name: string, scalar: number | undefined): Value[] =>
      scalar === undefined ? [] : [{ tag: `final/${name}`, scalar }];
    this.summary(this.lastStep, [
      ...final('validation_accuracy', validationAccuracy),
      ...final('test_accuracy', testAccuracy),
      sessionValue({ kind: 'end', time: Date.now() / 1000 }),
    ]);
  }

  /** Resolves when everything is in the file. Throws E_OUTPUT. */
  async close(): Promise<void> {
    this.flush();
    await this.written;
  }

  private summary(step: number, values: readonly Value[]): void {
    this.write(summaryEvent(this.when(step), values));
  }

  private write(event: Uint8Array): void {
    this.held.push(recordOf(event));
    if (performance.now() - this.lastWrite > HELD_MS) this.flush();
  }

  private flush(): void {
    const events = Buffer.concat(this.held);
    this.held = [];
    this.lastWrite = performance.now();
    if (events.length > 0) this.written = this.written.then(() => appendTo(this.path, events));
    this.written.catch(() => undefined); // close() throws it.
  }

  private when(step: number): { time: number; step: number } {
    return { time: Date.now() / 1000, step };
  }

  /** Returns the steps before a stage. TensorBoard has no stages: it counts the steps of the whole run. */
  private stepsBefore(stage: number): number {
    return this.stages.slice(0, stage).reduce((sum, { steps }) => sum + Math.min(steps, this.maxSteps), 0);
  }
}
