// Keeps what a dashboard knows of a run: all that has happened so far, and what is new since a page was last told.
import { choiceText } from '../../src/methods/class-balance-text.js';
import { shareRight } from '../../src/reporting/curves.js';
import type { MetricRecord } from '../../src/reporting/record.js';
import type { Stage } from '../../src/training/stage.js';
import { type SearchProgress, searchText } from '../propagation.js';
import type { RunListener } from '../runs/recorder.js';
import type { Predictions } from '../strategies/strategy.js';
import type { Lanes, NodeLanes } from './lanes.js';
import type {
  EndNews,
  Everything,
  LabelsNews,
  MarkNews,
  MembersNews,
  News,
  RunInfo,
  StepNews,
  ValidationNews,
} from './messages.js';
import type { Unsure } from './unsure.js';

export interface EventNews {
  /** Milliseconds since 1970; null if unknown. */
  readonly at: number | null;
  readonly text: string;
}

/** Lists that only grow. Each entry is told once. */
interface Told {
  readonly steps: StepNews[];
  readonly labels: LabelsNews[];
  readonly validations: ValidationNews[];
  readonly members: MembersNews[];
  readonly events: EventNews[];
  readonly marks: MarkNews[];
}

/** The number of entries of each list that a page has been told. */
export type Cursor = { readonly [list in keyof Told]: number } & { readonly unsure?: number };

export class History implements RunListener {
  private readonly told: Told;
  private state: News['state'] = 'running';
  private result: EndNews | undefined;
  private isSearching = false;
  /** The class shares that were told last. */
  private shares: string | undefined;

  /** stages: names, as in metrics. past: metrics from before this process. events: also those of earlier runs. */
  constructor(
    readonly info: RunInfo,
    private readonly stages: readonly string[],
    past: readonly MetricRecord[],
    private readonly lanes: Pick<Lanes, 'shares'> | undefined,
    private readonly nodes?: Pick<NodeLanes, 'news'>,
    events: EventNews[] = [],
    private readonly unsure?: Pick<Unsure, 'looked' | 'cursor' | 'since'>,
  ) {
    this.told = { steps: [], labels: [], validations: [], members: [], events, marks: [] };
    for (const metric of past) this.take(metric, null);
  }

  stageBegins(stage: Stage, firstStep: number, steps: number): void {
    this.isSearching = false;
    this.say(`${stage.name}: ${firstStep === 0 ? 'begins' : `goes on at step ${firstStep}`}, of ${steps} steps`);
  }

  measured(metric: MetricRecord): void {
    this.take(metric, Date.now());
  }

  searching(_stage: Stage, progress: SearchProgress): void {
    if (!this.isSearching) this.say(searchText(progress));
    this.isSearching = true;
  }

  looked(predictions: Predictions, positions?: Uint32Array): void {
    this.unsure?.looked(predictions, positions);
  }

  saved(): void {
    this.say('checkpoint saved');
  }

  /** Adds an event that is not a metric, such as the loss of a worker or the end. */
  say(text: string, at: number | null = Date.now()): void {
    this.told.events.push({ at, text });
  }

  /** Adds the event that a node came or went, and marks it on the curves. */
  mark(kind: MarkNews['kind'], text: string): void {
    const [stage, step] = this.told.steps.at(-1) ?? [0, 0];
    this.told.marks.push({ stage, step, kind });
    this.say(text);
  }

  /** Tells the class shares that a round of labels has chosen, if they have changed. */
  private chosen(shares: string, at: number | null): void {
    if (shares !== this.shares) this.say(`class shares ${shares}`, at);
    this.shares = shares;
  }

  ends(state: Exclude<News['state'], 'running'>, text: string, result?: EndNews): void {
    this.state = state;
    this.result = result;
    this.say(text, result ? result.at : undefined);
  }

  get cursor(): Cursor {
    const lists = Object.fromEntries(Object.entries(this.told).map(([list, all]) => [list, all.length])) as Cursor;
    return { ...lists, unsure: this.unsure?.cursor ?? 0 };
  }

  everything(): Everything {
    return { info: this.info, ...this.since() };
  }

  /** Returns what is new since a page was told. If cursor is undefined, the page has been told nothing. */
  since(cursor?: Cursor): News {
    const { steps, labels, validations, members, events, marks } = this.told;
    return {
      steps: steps.slice(cursor?.steps),
      labels: labels.slice(cursor?.labels),
      validations: validations.slice(cursor?.validations),
      members: members.slice(cursor?.members),
      events: events.slice(cursor?.events),
      marks: marks.slice(cursor?.marks),
      lanes: this.lanes?.shares() ?? [],
      nodes: this.nodes?.news() ?? [],
      unsure: this.unsure?.since(cursor?.unsure),
      state: this.state,
      result: this.result,
    };
  }

  private take(metric: MetricRecord, at: number | null): void {
    const stage = this.stages.indexOf(metric.stage);
    const { step } = metric;
    switch (metric.kind) {
      case 'step': {
        const { labelledLoss, unlabelledLoss, alpha, counted, unlabelled, rows } = metric;
        const losses = [rounded(labelledLoss), rounded(unlabelledLoss)] as const;
        this.told.steps.push([stage, step, at, ...losses, rounded(alpha), counted, unlabelled, rows]);
        break;
      }
      case 'labels': {
        const { perClass, flips, meanConfidence } = metric;
        this.told.labels.push({ stage, step, perClass, flips, meanConfidence, right: shareRight(metric) });
        break;
      }
      case 'shares':
        this.chosen(choiceText(metric, this.info.classNames), at);
        break;
      case 'members':
        this.told.members.push({ stage, step, agreement: metric.agreement });
        break;
      case 'validation':
        this.told.validations.push({ stage, step, accuracy: metric.accuracy });
    }
  }
}

/**
 * Rounds a value, because pages get thousands of steps at once. More digits than a curve shows would only take time.
 */
const rounded = (value: number): number => Number(value.toPrecision(5));
