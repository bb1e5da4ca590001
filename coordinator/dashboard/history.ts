// What a dashboard knows of a run: all that happened so far, and what is new since a page was last told.
import { choiceText } from '../../src/methods/class-balance-text.js';
import { shareRight } from '../../src/reporting/curves.js';
import type { MetricRecord } from '../../src/reporting/record.js';
import type { Stage } from '../../src/training/stage.js';
import type { RunListener } from '../runs/recorder.js';
import type { Lanes, NodeLanes } from './lanes.js';
import type { Everything, LabelsNews, MarkNews, News, RunInfo, StepNews, ValidationNews } from './messages.js';

/** How much of each list someone has been told. */
export interface Cursor {
  readonly steps: number;
  readonly labels: number;
  readonly validations: number;
  readonly events: number;
  readonly marks: number;
}

const BEGINNING: Cursor = { steps: 0, labels: 0, validations: 0, events: 0, marks: 0 };

export interface EventNews {
  readonly at: number;
  readonly text: string;
}

export class History implements RunListener {
  private readonly steps: StepNews[] = [];
  private readonly labels: LabelsNews[] = [];
  private readonly validations: ValidationNews[] = [];
  private readonly marks: MarkNews[] = [];
  private state: News['state'] = 'running';

  /** stages: names, as metrics have them; past: metrics of before this process; events: also those of the runs before. */
  constructor(
    readonly info: RunInfo,
    private readonly stages: readonly string[],
    past: readonly MetricRecord[],
    private readonly lanes: Pick<Lanes, 'shares'> | undefined,
    private readonly nodes?: Pick<NodeLanes, 'news'>,
    private readonly events: EventNews[] = [],
  ) {
    for (const metric of past) this.take(metric, null);
  }

  stageBegins(stage: Stage, firstStep: number, steps: number): void {
    this.say(`${stage.name}: ${firstStep === 0 ? 'begins' : `goes on at step ${firstStep}`}, of ${steps} steps`);
  }

  measured(metric: MetricRecord): void {
    this.take(metric, Date.now());
  }

  saved(): void {
    this.say('checkpoint saved');
  }

  /** Tells of something that is no measure: a worker that was lost, the end. */
  say(text: string): void {
    this.events.push({ at: Date.now(), text });
  }

  /** Tells of a node that came or went, and where on the curves that was. */
  mark(kind: MarkNews['kind'], text: string): void {
    const [stage, step] = this.steps.at(-1) ?? [0, 0];
    this.marks.push({ stage, step, kind });
    this.say(text);
  }

  ends(state: Exclude<News['state'], 'running'>, text: string): void {
    this.state = state;
    this.say(text);
  }

  get cursor(): Cursor {
    const { steps, labels, validations, events, marks } = this;
    return {
      steps: steps.length,
      labels: labels.length,
      validations: validations.length,
      events: events.length,
      marks: marks.length,
    };
  }

  everything(): Everything {
    return { info: this.info, ...this.since(BEGINNING) };
  }

  since(cursor: Cursor): News {
    return {
      steps: this.steps.slice(cursor.steps),
      labels: this.labels.slice(cursor.labels),
      validations: this.validations.slice(cursor.validations),
      events: this.events.slice(cursor.events),
      lanes: this.lanes?.shares() ?? [],
      nodes: this.nodes?.news() ?? [],
      marks: this.marks.slice(cursor.marks),
      state: this.state,
    };
  }

  private take(metric: MetricRecord, at: number | null): void {
    const stage = this.stages.indexOf(metric.stage);
    const { step } = metric;
    switch (metric.kind) {
      case 'step': {
        const { labelledLoss, unlabelledLoss, alpha, counted, unlabelled, rows } = metric;
        const losses = [rounded(labelledLoss), rounded(unlabelledLoss)] as const;
        this.steps.push([stage, step, at, ...losses, rounded(alpha), counted, unlabelled, rows]);
        break;
      }
      case 'labels': {
        const { perClass, flips, meanConfidence } = metric;
        this.labels.push({ stage, step, perClass, flips, meanConfidence, right: shareRight(metric) });
        break;
      }
      case 'shares':
        this.say(`class shares ${choiceText(metric, this.info.classNames)}`);
        break;
      case 'validation':
        this.validations.push({ stage, step, accuracy: metric.accuracy });
    }
  }
}

/** Of thousands of steps a page is told once: more digits than a curve shows would only take time. */
const rounded = (value: number): number => Number(value.toPrecision(5));
