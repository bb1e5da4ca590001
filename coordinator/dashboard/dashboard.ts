// Owns the dashboard of one run: what it listens to, and from when to when it is there.
import { PseudolabelError } from '../../src/errors.js';
import { counted, percent } from '../../src/format.js';
import { ROW_NAMES } from '../../src/presets/scenario.js';
import { STAGE_TITLES } from '../../src/report/curves.js';
import type { MetricRecord, RunRecord } from '../../src/report/record.js';
import type { Stage } from '../../src/stage.js';
import type { NodeNow } from '../fleet/activity.js';
import { together } from '../listeners.js';
import type { RunListener } from '../recorder.js';
import type { RunResult } from '../result.js';
import { type Guard, guardOf, type Place } from './access.js';
import { Gauges } from './gauges.js';
import { History } from './history.js';
import { Lanes, type ObservedCall } from './lanes.js';
import type { RunInfo } from './messages.js';
import { NodeLanes } from './node-lanes.js';
import { type DashboardServer, serve } from './server.js';

export interface DashboardOptions {
  readonly place: Place;
  /** The run's. */
  readonly directory: string;
  readonly info: Omit<RunInfo, 'stages' | 'hasReport'>;
  readonly stages: readonly Stage[];
  readonly maxSteps: number;
  /** Metrics of before this process. */
  readonly past: readonly MetricRecord[];
  lostWorkers(): number;
  /** Those on other machines that are there now; undefined where there can be none. */
  readonly nodes?: () => readonly NodeNow[];
}

/** Between two looks at what nodes are doing. */
const LOOK_MS = 40;

export class Dashboard {
  private readonly lanes = new Lanes((worker) => this.history?.say(`worker ${worker} is there`));
  private history: History | undefined;
  private server: DashboardServer | undefined;
  private lostWorkers: () => number = () => 0;
  private told = 0;
  private nodes: NodeLanes | undefined;
  private guard: Guard | undefined;
  private looking: NodeJS.Timeout | undefined;
  /** What happened to nodes before it was open. */
  private early: (() => void)[] = [];

  /** To be told every call of the node, from its beginning. */
  observed(call: ObservedCall): void {
    this.lanes.observed(call);
  }

  joined({ name, workers }: { readonly name: string; readonly workers: number }): void {
    this.whenOpen(() => {
      this.nodes?.joined(name);
      this.history?.mark('joined', `${name} joined with ${counted(workers, 'worker')}`);
    });
  }

  left({ name }: { readonly name: string }, { code }: PseudolabelError): void {
    this.whenOpen(() => {
      this.nodes?.left(name);
      this.history?.mark('gone', `${name} is gone (${code}): its work is done by others`);
    });
  }

  /** Throws E_LISTEN, E_SECRET_FILE, E_OUTPUT. */
  async open(options: DashboardOptions): Promise<RunListener> {
    const { place, directory, info, stages, maxSteps, past, lostWorkers, nodes } = options;
    const shown = stages.map(({ name, steps }) => ({ title: STAGE_TITLES[name], steps: Math.min(steps, maxSteps) }));
    const names = stages.map(({ name }) => name);
    const nodeLanes = nodes && new NodeLanes(nodes);
    const history = new History({ ...info, stages: shown, hasReport: false }, names, past, this.lanes, nodeLanes);
    const gauges = new Gauges(lostWorkers);
    const guard = await guardOf(place);
    this.server = await serve({ history, gauges, directory }, place, guard);
    this.guard = guard;
    this.history = history;
    this.nodes = nodeLanes;
    if (nodeLanes) this.looking = setInterval(() => nodeLanes.look(performance.now()), LOOK_MS);
    for (const tell of this.early.splice(0)) tell();
    this.lostWorkers = lostWorkers;
    return together([history, gauges, { ...SILENT, measured: () => this.tellLosses() }]);
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
    if (this.history) tell();
    else this.early.push(tell);
  }

  get url(): string | undefined {
    return this.server?.url;
  }

  /** What someone has to know who looks from elsewhere; nothing on loopback. */
  get keys(): string | undefined {
    if (!this.guard) return undefined;
    const { tokenFile, identity } = this.guard;
    const pin = identity ? `; SHA-256 of its certificate: ${identity.fingerprint}` : '; nothing is encrypted';
    return `it asks for the token in ${tokenFile}${pin}`;
  }

  /** Tells the pages how the run ended, and lets them go. */
  async ends({ testAccuracy }: RunResult): Promise<void> {
    clearInterval(this.looking);
    this.tellLosses(); // of the evaluation, which is no measure
    this.history?.ends('ended', testAccuracy === undefined ? 'ended' : `ended: test accuracy ${percent(testAccuracy)}`);
    await this.server?.close();
  }

  async fails(error: unknown): Promise<void> {
    clearInterval(this.looking);
    this.tellLosses();
    const isInterruption = error instanceof PseudolabelError && error.code === 'E_INTERRUPTED';
    this.history?.ends(
      isInterruption ? 'interrupted' : 'failed',
      error instanceof Error ? error.message : String(error),
    );
    await this.server?.close();
  }
}

const SILENT: RunListener = {
  stageBegins: () => undefined,
  measured: () => undefined,
  reconstructed: () => undefined,
  saved: () => undefined,
};

/** The dashboard of a run that is no longer going on, from its directory. Throws E_LISTEN. */
export function serveRecord(run: RunRecord, directory: string, port: number): Promise<DashboardServer> {
  const names = [...new Set(run.metrics.map(({ stage }) => stage))];
  const stages = names.map((name) => {
    const steps = run.metrics.filter((metric) => metric.kind === 'step' && metric.stage === name);
    return { title: STAGE_TITLES[name], steps: (steps.at(-1)?.step ?? 0) + 1 };
  });
  const info = { name: run.name, title: ROW_NAMES[run.config.scenario], stages, hasReport: true };
  const history = new History(info, names, run.metrics, undefined);
  if (run.result) history.ends('ended', 'the run has ended');
  else history.ends('interrupted', 'the run has not ended: this is what it has written so far');
  return serve({ history, gauges: undefined, directory }, { host: '127.0.0.1', port });
}
