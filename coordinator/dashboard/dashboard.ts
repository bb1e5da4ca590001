// Owns the dashboard of one run: what it listens to, and from when to when it is there.
import { PseudolabelError } from '../../src/errors.js';
import { percent } from '../../src/format.js';
import { ROW_NAMES } from '../../src/presets/scenario.js';
import { STAGE_TITLES } from '../../src/report/curves.js';
import type { MetricRecord, RunRecord } from '../../src/report/record.js';
import type { Stage } from '../../src/stage.js';
import { together } from '../listeners.js';
import type { RunListener } from '../recorder.js';
import type { RunResult } from '../result.js';
import { Gauges } from './gauges.js';
import { History } from './history.js';
import { Lanes, type ObservedCall } from './lanes.js';
import type { RunInfo } from './messages.js';
import { type DashboardServer, serve } from './server.js';

export interface DashboardOptions {
  readonly port: number;
  /** The run's. */
  readonly directory: string;
  readonly info: Omit<RunInfo, 'stages' | 'hasReport'>;
  readonly stages: readonly Stage[];
  readonly maxSteps: number;
  /** Metrics of before this process. */
  readonly past: readonly MetricRecord[];
  lostWorkers(): number;
}

export class Dashboard {
  private readonly lanes = new Lanes((worker) => this.history?.say(`worker ${worker} is there`));
  private history: History | undefined;
  private server: DashboardServer | undefined;
  private told = 0;

  /** To be told every call of the node, from its beginning. */
  observed(call: ObservedCall): void {
    this.lanes.observed(call);
  }

  /** Throws E_LISTEN. */
  async open({ port, directory, info, stages, maxSteps, past, lostWorkers }: DashboardOptions): Promise<RunListener> {
    const shown = stages.map(({ name, steps }) => ({ title: STAGE_TITLES[name], steps: Math.min(steps, maxSteps) }));
    const names = stages.map(({ name }) => name);
    const history = new History({ ...info, stages: shown, hasReport: false }, names, past, this.lanes);
    const gauges = new Gauges(lostWorkers);
    this.history = history;
    this.server = await serve({ history, gauges, directory }, port);
    const losses: RunListener = {
      ...SILENT,
      measured: () => {
        const lost = lostWorkers();
        if (lost > this.told) history.say(`${lost - this.told} lost: what they were doing is done again`);
        this.told = lost;
      },
    };
    return together([history, gauges, losses]);
  }

  get url(): string | undefined {
    return this.server?.url;
  }

  /** Tells the pages how the run ended, and lets them go. */
  async ends({ testAccuracy }: RunResult): Promise<void> {
    this.history?.ends('ended', testAccuracy === undefined ? 'ended' : `ended: test accuracy ${percent(testAccuracy)}`);
    await this.server?.close();
  }

  async fails(error: unknown): Promise<void> {
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
  return serve({ history, gauges: undefined, directory }, port);
}
