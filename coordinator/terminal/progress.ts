// Shows the progress of a run: on a terminal as one line that is redrawn, otherwise as a line every few seconds, or as
// lines of JSON for programs (--log-format json).
import { type Logger, pino, stdTimeFunctions } from 'pino';
import { bar, counted, duration, loss, percent, visibleJson, whole } from '../../src/format.js';
import { choiceText } from '../../src/methods/class-balance-text.js';
import { methodOf } from '../../src/methods/methods.js';
import type { Stage } from '../../src/training/stage.js';
import { type SearchProgress, searchText } from '../propagation.js';
import { type RunListener, together } from '../runs/recorder.js';
import type { Metric } from '../runs/result.js';
import type { Output, Terminal } from './terminal.js';

type StepMetric = Extract<Metric, { kind: 'step' }>;

const REDRAW_MS = 100;
/**
 * Without a terminal, the milliseconds between two lines. A tenth of a stage also gives a line, but not before
 * SHORTEST_LINE_MS.
 */
const LINE_MS = 4000;
const SHORTEST_LINE_MS = 1000;
/**
 * Speed and time left are computed from the last seconds, because a stage gets slower when its pseudo-labels begin to
 * count.
 */
const WINDOW_MS = 10_000;
const GAP = '  ';
const LONG_BAR = 20;
const SHORT_BAR = 10;

interface Sample {
  readonly at: number;
  readonly steps: number;
  readonly rows: number;
}

/** The current stage. */
interface Current {
  readonly stage: Stage;
  readonly steps: number;
  readonly began: Sample;
  /**
   * Samples of the last seconds, the oldest first. The first one is taken at the first step, because all images may
   * have been labelled before it.
   */
  window: Sample[];
  shownAt: number;
  shownTenth: number;
}

/** Returns a listener that shows a run in the way that the user has chosen. */
export const progressOn = (terminal: Terminal, classNames: readonly string[]): RunListener =>
  together([terminal.log ? new Log(terminal.log) : new Progress(terminal, undefined, classNames), new Doing(terminal)]);

/** Tells the terminal what the run is doing. The terminal says it if nothing else is said for a while. */
class Doing implements RunListener {
  private steps = 0;
  private name = '';

  constructor(private readonly terminal: Terminal) {}

  stageBegins({ name, method }: Stage, firstStep: number, steps: number): void {
    Object.assign(this, { name, steps });
    const isLabelling = methodOf(method).isRelabelling(method, firstStep);
    this.terminal.doing(`${isLabelling ? 'labelling all images' : `in step ${firstStep + 1} of ${steps}`} (${name})`);
  }

  searching(): void {
    this.terminal.doing('making a graph of the images, over which labels spread');
  }

  measured({ kind, step }: Metric): void {
    if (kind !== 'step') return;
    const next = step + 2;
    this.terminal.doing(
      next > this.steps ? 'looking at the images' : `in step ${next} of ${this.steps} (${this.name})`,
    );
  }
}

export class Progress implements RunListener {
  private current: Current | undefined;
  private isSearching = false;
  /** The class shares that were told last. */
  private shares: string | undefined;

  /** now: returns milliseconds. classNames: if undefined, classes are numbered. */
  constructor(
    private readonly terminal: Pick<Terminal, 'isLive' | 'width' | 'note' | 'draw' | 'colours'>,
    private readonly now: () => number = () => performance.now(),
    private readonly classNames?: readonly string[],
  ) {}

  stageBegins(stage: Stage, firstStep: number, steps: number): void {
    const began: Sample = { at: this.now(), steps: firstStep, rows: 0 };
    const shownTenth = Math.floor((10 * firstStep) / steps);
    this.isSearching = false;
    this.current = { stage, steps, began, window: [], shownAt: began.at, shownTenth };
    if (firstStep > 0) this.terminal.note(`  ${stage.name}: goes on at step ${firstStep} of ${steps}`);
  }

  measured(metric: Metric): void {
    if (metric.kind === 'validation') {
      this.terminal.note(`  validation accuracy ${percent(metric.accuracy)} at step ${metric.step}`);
    }
    if (metric.kind === 'shares') this.chosen(choiceText(metric, this.classNames));
    if (metric.kind === 'step' && this.current) this.stepped(this.current, metric);
  }

  searching(_stage: Stage, progress: SearchProgress): void {
    const text = `  ${searchText(progress)}`;
    if (this.terminal.isLive && this.isSearching) this.terminal.draw(text);
    else this.terminal.note(text);
    this.isSearching = true;
  }

  saved(path: string): void {
    if (!this.terminal.isLive) this.terminal.note(`  saved ${path}`);
  }

  /** Tells the class shares that a round of labels has chosen, if they have changed. */
  private chosen(shares: string): void {
    if (shares !== this.shares) this.terminal.note(`  class shares ${shares}`);
    this.shares = shares;
  }

  private stepped(current: Current, metric: StepMetric): void {
    const last = current.window.at(-1) ?? current.began;
    const sample = { at: this.now(), steps: metric.step + 1, rows: last.rows + metric.rows };
    current.window.push(sample);
    if (sample.steps === current.steps) {
      this.terminal.note(this.summary(current, metric, sample));
      this.current = undefined;
    } else if (this.isDue(current, sample)) {
      const begin = current.window.findLastIndex(({ at }) => at < sample.at - WINDOW_MS);
      current.window = current.window.slice(Math.max(0, begin));
      this.show(current, metric, sample);
      current.shownAt = sample.at;
      current.shownTenth = Math.floor((10 * sample.steps) / current.steps);
    }
  }

  private isDue({ shownAt, shownTenth, steps }: Current, sample: Sample): boolean {
    const passed = sample.at - shownAt;
    if (this.terminal.isLive) return passed >= REDRAW_MS;
    return passed >= LINE_MS || (passed >= SHORTEST_LINE_MS && Math.floor((10 * sample.steps) / steps) > shownTenth);
  }

  private show({ stage, steps, window }: Current, metric: StepMetric, sample: Sample): void {
    const first = window[0]!;
    const seconds = (sample.at - first.at) / 1000;
    const done = sample.steps - first.steps;
    const speed = [
      `${duration(((steps - sample.steps) * seconds) / done)} left`,
      `${whole((sample.rows - first.rows) / seconds)} images/s`,
    ];
    const parts = [
      `${stage.name} ${sample.steps}/${steps}`,
      ...(done > 0 && seconds > 0 ? speed : []),
      ...lossParts(stage, metric),
    ];
    if (this.terminal.isLive) this.terminal.draw(fitted(parts, sample.steps / steps, this.terminal.width));
    else this.terminal.note(`  ${parts.join(GAP)}`);
  }

  private summary({ stage, began }: Current, metric: StepMetric, sample: Sample): string {
    const seconds = (sample.at - began.at) / 1000;
    const { bold } = this.terminal.colours;
    return [
      `  ${bold(stage.name)}: ${counted(sample.steps - began.steps, 'step')} in ${duration(seconds)}`,
      ...lossParts(stage, metric),
      `${whole(sample.rows / seconds)} images/s`,
    ].join(GAP);
  }
}

/** Returns the parts of the line about the loss. Alpha is only shown if there are pseudo-labels. */
function lossParts(stage: Stage, metric: StepMetric): string[] {
  const { method } = stage;
  const parts = [`loss ${loss(metric.loss)}`];
  if (!methodOf(method).usesPseudoLabels) return parts;
  if (metric.alpha === 0) return [...parts, 'alpha 0'];
  return [
    ...parts,
    `alpha ${metric.alpha.toFixed(2)}`,
    `counted ${percent(metric.counted / methodOf(method).batch(method), 0)}`,
  ];
}

/** Returns a bar, and as many of the parts as fit into the width. */
function fitted(parts: readonly string[], share: number, width: number): string {
  const longest = parts.join(GAP).length + GAP.length + LONG_BAR + '[]'.length;
  let text = bar(share, longest <= width ? LONG_BAR : SHORT_BAR);
  for (const part of parts) {
    if (text.length + GAP.length + part.length > width) break;
    text += GAP + part;
  }
  return text;
}

/**
 * Milliseconds between two logged steps. There are thousands of steps, but a second without an event looks like a
 * fault. The last step of a stage is always logged.
 */
const STEP_MS = 500;

/** Logs one JSON object per line: time (ISO 8601), level (a word), msg, and what belongs to it. */
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

  /** now: returns milliseconds. */
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

  searching({ name: stage }: Stage, progress: SearchProgress): void {
    this.logger.info({ event: 'searching', stage, ...progress }, 'finding neighbours');
  }

  saved(path: string): void {
    this.logger.info({ event: 'saved', path }, 'checkpoint saved');
  }
}
