// Stores what the page knows of a run, as the columns that its charts draw. x: steps of the whole run, one stage after
// the other.
import type {
  Everything,
  LabelsNews,
  MarkNews,
  MembersNews,
  News,
  RunInfo,
  StepNews,
  TableNews,
  ValidationNews,
} from '../messages.js';

type Column = (number | null)[];

/** The number of steps over which speed is computed. */
const SPEED_STEPS = 100;

export class Series {
  readonly steps: number[] = [];
  readonly reconstruction: Column = [];
  readonly labelled: Column = [];
  readonly pseudoLabelled: Column = [];
  readonly alpha: Column = [];
  readonly counted: Column = [];
  readonly looks: number[] = [];
  readonly right: Column = [];
  readonly confidence: Column = [];
  readonly flips: Column = [];
  readonly validations: number[] = [];
  readonly accuracy: Column = [];
  readonly membersAsked: number[] = [];
  readonly agreement: Column = [];
  /** The last look at the pseudo-labels of each stage, and the agreement of its networks at its end. */
  readonly rounds = new Map<number, { look?: LabelsNews; agreement?: number; isFirst: boolean }>();
  events: News['events'] = [];
  lanes: News['lanes'] = [];
  nodes: News['nodes'] = [];
  /** The steps at which nodes came and went. */
  readonly marks: { readonly x: number; readonly kind: MarkNews['kind'] }[] = [];
  state: News['state'];
  /** The images that the model is least sure of. */
  unsure: News['unsure'];
  /** How the run ended; undefined if it has not, or if that is unknown. */
  result: News['result'];
  lastLook: LabelsNews | undefined;
  lastStep: StepNews | undefined;
  private recent: StepNews[] = [];
  readonly info: RunInfo;
  /** The table of the reproduction that the run belongs to. */
  readonly table: TableNews | undefined;

  constructor({ info, table, ...news }: Everything) {
    this.info = info;
    this.table = table;
    this.state = news.state;
    this.add(news);
  }

  add({ steps, labels, validations, members, events, lanes, nodes, marks, state, result, unsure }: News): void {
    for (const step of steps) this.addStep(step);
    for (const look of labels) this.addLook(look);
    for (const validation of validations) this.addValidation(validation);
    for (const each of members) this.addMembers(each);
    this.events = [...this.events, ...events];
    this.lanes = lanes;
    this.nodes = nodes;
    for (const { stage, step, kind } of marks) this.marks.push({ x: this.at(stage, step), kind });
    this.state = state;
    this.result = result;
    this.unsure = unsure ?? this.unsure;
  }

  /**
   * Returns steps and rows per second, over the last steps of the current stage. Returns undefined before there are
   * enough steps.
   */
  speed(): { readonly steps: number; readonly rows: number } | undefined {
    const [first, last] = [this.recent[0], this.recent.at(-1)];
    if (!first || !last || first[2] === null || last[2] === null || last[2] <= first[2]) return undefined;
    const seconds = (last[2] - first[2]) / 1000;
    const rows = this.recent.slice(1).reduce((sum, step) => sum + step[8], 0);
    return { steps: (this.recent.length - 1) / seconds, rows: rows / seconds };
  }

  /** Returns the remaining steps of the whole run. */
  stepsLeft(): number {
    const all = this.allSteps();
    return this.lastStep ? all - this.at(this.lastStep[0], this.lastStep[1]) - 1 : all;
  }

  /** Returns the steps of the whole run. */
  allSteps(): number {
    return this.info.stages.reduce((sum, { steps }) => sum + steps, 0);
  }

  /** Returns the number of the current or last stage, from 0. */
  stage(): number {
    return this.lastStep?.[0] ?? 0;
  }

  /** Returns the steps of a stage that are done. */
  done(stage: number): number {
    const { steps } = this.info.stages[stage]!;
    if (!this.lastStep || this.lastStep[0] < stage) return 0;
    return this.lastStep[0] > stage ? steps : this.lastStep[1] + 1;
  }

  private at(stage: number, step: number): number {
    return this.info.stages.slice(0, stage).reduce((sum, { steps }) => sum + steps, 0) + step;
  }

  private addStep(news: StepNews): void {
    const [stage, step, at, labelledLoss, unlabelledLoss, alpha, counted, unlabelled] = news;
    const { title } = this.info.stages[stage]!;
    const isPretraining = title === 'Pre-training';
    const isPseudoLabelled = !isPretraining && title !== 'Supervised training';
    this.steps.push(this.at(stage, step));
    this.reconstruction.push(isPretraining ? unlabelledLoss : null);
    this.labelled.push(isPretraining ? null : positive(labelledLoss));
    this.pseudoLabelled.push(isPseudoLabelled && counted > 0 ? positive(unlabelledLoss) : null);
    this.alpha.push(isPseudoLabelled ? alpha : null);
    this.counted.push(isPseudoLabelled && unlabelled > 0 ? counted / unlabelled : null);
    if (this.lastStep?.[0] !== stage || at === null) this.recent = [];
    this.recent.push(news);
    if (this.recent.length > SPEED_STEPS) this.recent.shift();
    this.lastStep = news;
  }

  private addLook(look: LabelsNews): void {
    const images = look.perClass.reduce((sum, count) => sum + count, 0);
    this.looks.push(this.at(look.stage, look.step));
    this.right.push(look.right ?? null);
    this.confidence.push(look.meanConfidence);
    // Before the first look there were no labels that could change.
    this.flips.push(this.lastLook === undefined ? null : look.flips / images);
    this.roundOf(look.stage).look = look;
    this.lastLook = look;
  }

  private addMembers({ stage, step, agreement }: MembersNews): void {
    this.membersAsked.push(this.at(stage, step));
    this.agreement.push(agreement);
    this.roundOf(stage).agreement = agreement;
  }

  private roundOf(stage: number): { look?: LabelsNews; agreement?: number; isFirst: boolean } {
    const round = this.rounds.get(stage) ?? { isFirst: this.lastLook === undefined };
    this.rounds.set(stage, round);
    return round;
  }

  private addValidation({ stage, step, accuracy }: ValidationNews): void {
    this.validations.push(this.at(stage, step));
    this.accuracy.push(accuracy);
  }
}

/** Returns null for 0, which has no place on a logarithmic axis. */
const positive = (value: number): number | null => (value > 0 ? value : null);
