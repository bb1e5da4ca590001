// Runs the dashboard of one run, or of several runs one after the other: collects what happens and serves it.
import type { Dataset } from '../../src/data/dataset.js';
import { PseudolabelError } from '../../src/errors.js';
import { counted, percent } from '../../src/format.js';
import { STAGE_TITLES } from '../../src/reporting/curves.js';
import { settingsOf } from '../../src/reporting/numbers.js';
import type { MetricRecord } from '../../src/reporting/record.js';
import type { Stage } from '../../src/training/stage.js';
import type { NodeNow } from '../executors/cluster/status.js';
import { hasWished } from '../executors/failures.js';
import { type RunListener, together } from '../runs/recorder.js';
import type { RunResult } from '../runs/result.js';
import { type DashboardAddress, type Guard, guardOf } from './access.js';
import { Gauges } from './gauges.js';
import { type EventNews, History } from './history.js';
import { Lanes, NodeLanes, type ObservedCall } from './lanes.js';
import type { RunInfo } from './messages.js';
import type { Reproduced } from './recorded.js';
import { type DashboardServer, serve } from './server.js';
import { Unsure } from './unsure.js';

/** A run that is about to begin or to be resumed. */
export interface ShownRun {
  readonly info: Omit<RunInfo, 'stages' | 'settings' | 'hasReport'>;
  readonly stages: readonly Stage[];
  readonly maxSteps: number;
  /**
   * The images, with the rows of the training images that are used without their labels. If undefined, no image is
   * shown.
   */
  readonly images?: { readonly dataset: Dataset; readonly unlabelled: Uint32Array };
  /** Metrics from before this process. */
  readonly past: readonly MetricRecord[];
  lostWorkers(): number;
  /** Returns the nodes on other machines that are there now; undefined if there can be none. */
  readonly nodes?: () => readonly NodeNow[];
}

/** Milliseconds between two looks at what nodes are doing. */
const LOOK_MS = 40;

export class Dashboard {
  private readonly lanes = new Lanes((worker) => this.history?.say(`worker ${worker} is there`));
  private readonly gauges = new Gauges(() => this.lostWorkers());
  /** The events of all runs. */
  private readonly events: EventNews[] = [];
  private history: History | undefined;
  private server: DashboardServer | undefined;
  private lostWorkers: () => number = () => 0;
  private told = 0;
  private nodes: NodeLanes | undefined;
  private guard: Guard | undefined;
  private looking: NodeJS.Timeout | undefined;
  /** What happened to nodes before the dashboard was open. */
  private early: (() => void)[] = [];

  /** directory: that of the run or the reproduction. runs: undefined for a single run. */
  constructor(
    private readonly place: DashboardAddress,
    private readonly directory: string,
    private readonly runs?: Reproduced,
  ) {}

  /** Takes a call of the executor. It must be told every call, from the first one. */
  traced(call: ObservedCall): void {
    this.lanes.traced(call);
  }

  joined({ name, workers }: { readonly name: string; readonly workers: number }): void {
    this.whenOpen(() => {
      this.nodes?.joined(name);
      this.history?.mark('joined', `${name} joined with ${counted(workers, 'worker')}`);
    });
  }

  left({ name }: { readonly name: string }, reason: PseudolabelError): void {
    const how = hasWished(reason) ? 'has left' : `is gone (${reason.code})`;
    this.whenOpen(() => {
      this.nodes?.left(name);
      this.history?.mark('gone', `${name} ${how}: its work is done by others`);
    });
  }

  /** Shows a run from now on. Listens when the first run begins. Throws E_LISTEN, E_SECRET_FILE, E_OUTPUT. */
  async begins({ info, stages, maxSteps, images, past, lostWorkers, nodes }: ShownRun): Promise<Required<RunListener>> {
    const shown = stages.map(({ name, steps }) => ({ title: STAGE_TITLES[name], steps: Math.min(steps, maxSteps) }));
    const names = stages.map(({ name }) => name);
    const unsure = images && new Unsure(images.dataset, images.unlabelled);
    const nodeLanes = nodes && new NodeLanes(nodes);
    const whole = { ...info, stages: shown, settings: settingsOf(stages), hasReport: false };
    const history = new History(whole, names, past, this.lanes, nodeLanes, this.events, unsure);
    this.history = history;
    this.lostWorkers = lostWorkers;
    this.told = 0;
    this.runs?.begins(info.name, history);
    if (this.runs) history.say(`${info.title} begins`);
    this.gauges.begins(info.name, info.classNames);
    if (!this.server) await this.listen(history);
    this.nodes = nodeLanes;
    if (nodeLanes) this.looking = setInterval(() => nodeLanes.look(performance.now()), LOOK_MS);
    for (const tell of this.early.splice(0)) tell();
    return together([history, this.gauges, { measured: () => this.tellLosses() }]);
  }

  private async listen(first: History): Promise<void> {
    const { place, directory, gauges, runs } = this;
    const current = (): History => this.history ?? first;
    const source = {
      gauges,
      directory,
      runs,
      get history() {
        return current();
      },
    };
    const guard = await guardOf(place);
    this.server = await serve(source, place, guard);
    this.guard = guard;
  }

  private tellLosses(): void {
    const lost = this.lostWorkers();
    if (lost > this.told) {
      const [workers, work] = [counted(lost - this.told, 'worker'), lost - this.told === 1 ? 'its' : 'their'];
      this.history?.say(`${workers} lost: ${work} work is done again`);
    }
    this.told = lost;
  }

  private whenOpen(tell: () => void): void {
    if (this.server) tell();
    else this.early.push(tell);
  }

  get url(): string | undefined {
    return this.server?.url;
  }

  /** Says what is needed to open the dashboard from another machine; undefined on loopback. */
  get keys(): string | undefined {
    if (!this.guard) return undefined;
    const { tokenFile, identity } = this.guard;
    const pin = identity ? `; SHA-256 of its certificate: ${identity.fingerprint}` : '; nothing is encrypted';
    return `it asks for the token in ${tokenFile}${pin}`;
  }

  /** Tells the pages how the run ended. */
  ends(result: RunResult): void {
    const { testAccuracy } = result;
    this.tellLosses(); // Tells losses during the evaluation, which makes no measurement.
    const name = this.runs ? `${this.history?.info.title} ended` : 'ended';
    const text = testAccuracy === undefined ? name : `${name}: test accuracy ${percent(testAccuracy)}`;
    const { validationAccuracy, seconds } = result;
    this.history?.ends('ended', text, { testAccuracy, validationAccuracy, seconds, at: Date.now() });
    if (this.history) this.runs?.ended(this.history.info.name, result);
  }

  /** Closes the server and its pages. */
  async close(): Promise<void> {
    clearInterval(this.looking);
    if (this.runs?.table.state === 'running') this.runs.ends('ended');
    await this.server?.close();
  }

  async fails(error: unknown): Promise<void> {
    this.tellLosses();
    const isInterruption = error instanceof PseudolabelError && error.code === 'E_INTERRUPTED';
    const state = isInterruption ? 'interrupted' : 'failed';
    this.history?.ends(state, error instanceof Error ? error.message : String(error));
    this.runs?.ends(state);
    await this.close();
  }
}
