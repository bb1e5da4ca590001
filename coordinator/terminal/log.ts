// Owns structured logs: a run as lines of JSON, for machines that read it while it goes on (--log-format json).
import { type Logger, pino, stdTimeFunctions } from 'pino';
import { visibleJson } from '../../src/format.js';
import type { Stage } from '../../src/training/stage.js';
import type { RunListener } from '../runs/recorder.js';
import type { Metric } from '../runs/result.js';
import type { Output } from './terminal.js';

/** Steps are thousands: one of them is logged so often, and the last one of a stage. */
const STEP_MS = 10_000;

/** A line an object: time (ISO 8601), level (a word), msg, and what belongs to it. */
export function jsonLogger(output: Output): Logger {
  return pino(
    {
      base: {},
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line: string) => void output.write(visibleJson(line)) },
  );
}

export class Log implements RunListener {
  private loggedAt: number;
  private steps = 0;

  /** now: in milliseconds. */
  constructor(
    private readonly logger: Logger,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.loggedAt = now();
  }

  stageBegins({ name }: Stage, firstStep: number, steps: number): void {
    this.steps = steps;
    this.logger.info({ event: 'stage', stage: name, firstStep, steps }, 'stage begins');
  }

  measured({ kind, ...metric }: Metric): void {
    const isLast = metric.step === this.steps - 1;
    if (kind === 'step' && !isLast && this.now() - this.loggedAt < STEP_MS) return;
    if (kind === 'step') this.loggedAt = this.now();
    this.logger.info({ event: kind, ...metric }, kind);
  }

  saved(path: string): void {
    this.logger.info({ event: 'saved', path }, 'checkpoint saved');
  }
}
