// Sets up what watches the run of a command: progress on the terminal, the dashboard and a trace. Also causes faults on
// purpose.
import { type Command, Option } from 'commander';
import type { Call } from '../../src/engine/timeline.js';
import type { Executor } from '../../src/training/executor.js';
import { rowName } from '../../src/training/scenario.js';
import { parseAddress } from '../../worker/address.js';
import type { DashboardAddress } from '../dashboard/access.js';
import type { Dashboard } from '../dashboard/dashboard.js';
import { FaultyExecutor } from '../executors/faulty-executor.js';
import { TracedExecutor } from '../executors/traced-executor.js';
import { viewsOf } from '../runs/pictures.js';
import { type RunListener, together } from '../runs/recorder.js';
import type { ResolvedRun, Session } from '../runs/resolved-run.js';
import { progressOn } from '../terminal/progress.js';
import { type Context, number, usage } from './options.js';

export interface WatchFlags {
  /** true: at the default port of this machine. */
  readonly dashboard?: Pick<DashboardAddress, 'host' | 'port'> | true;
  readonly dashboardToken?: string;
  readonly insecure?: boolean;
  readonly certificate?: string;
  readonly key?: string;
  readonly loseWorker?: readonly number[];
  readonly stallWorker?: readonly number[];
}

/** The port of `--dashboard` without a number. */
const DASHBOARD_PORT = 8765;
const LOOPBACK = '127.0.0.1';

/**
 * Loads and makes the dashboard. Its metrics need a package of 83 modules, which is only loaded if a dashboard is
 * wanted.
 */
export async function dashboardAt(...of: ConstructorParameters<typeof Dashboard>): Promise<Dashboard> {
  const { Dashboard: Served } = await import('../dashboard/dashboard.js');
  return new Served(...of);
}

export function addDashboardOptions(command: Command): Command {
  return command
    .option(
      '--dashboard [host:port]',
      `live page, and numbers for Prometheus, on this machine unless another address is given (${DASHBOARD_PORT})`,
      place,
    )
    .option('--dashboard-token <file>', 'the token that others must know to see it (made where there is none)');
}

/** Reads '8765' or '0.0.0.0:8765'. */
function place(text: string): Pick<DashboardAddress, 'host' | 'port'> {
  try {
    const { host, port } = parseAddress(/^\d+$/.test(text) ? `${LOOPBACK}:${text}` : text);
    return { host, port };
  } catch {
    throw usage(`--dashboard ${text} is not an address`, 'give a port or HOST:PORT');
  }
}

/**
 * Adds options that cause faults, which --help does not show. At these steps a worker is lost, or stops for a while.
 */
export function addFaultOptions(command: Command): void {
  const listed = (text: string, before: readonly number[] = []): number[] => [...before, number(text)];
  for (const flag of ['--lose-worker <step>', '--stall-worker <step>'])
    command.addOption(new Option(flag).argParser(listed).hideHelp());
}

/** Returns the place of the dashboard, or undefined if none is wanted. */
export function placeOf(flags: WatchFlags): DashboardAddress | undefined {
  const { dashboard, dashboardToken, insecure = false, certificate, key } = flags;
  if (dashboard === undefined) return undefined;
  return {
    ...(typeof dashboard === 'object' ? dashboard : { host: LOOPBACK, port: DASHBOARD_PORT }),
    tokenFile: dashboardToken,
    insecure,
    certificate: certificate && key ? { file: certificate, key } : undefined,
  };
}

/**
 * Returns a function that wraps an executor in faults and a trace. Only threads of this process can be lost; other
 * workers stall.
 */
export function wrapperFor(
  { loseWorker, stallWorker }: WatchFlags,
  dashboard: Dashboard | undefined,
  calls?: Call[],
): (executor: Executor) => Executor {
  return (executor) => {
    const isFaulty = loseWorker ?? stallWorker;
    const inner = isFaulty ? new FaultyExecutor(executor, new Set(loseWorker), new Set(stallWorker)) : executor;
    if (!calls && !dashboard) return inner;
    return new TracedExecutor(inner, (call) => {
      calls?.push(call);
      dashboard?.traced(call);
    });
  };
}

interface Watch {
  /** The run directory. */
  readonly path: string;
  readonly dashboard: Dashboard | undefined;
  /** Is there if the run is one of several. */
  readonly among?: { readonly name: string; readonly title: string };
}

/** Returns the listeners of a run: the terminal, and the dashboard. */
export async function watchersOf(
  run: ResolvedRun,
  session: Session,
  { path, dashboard, among }: Watch,
  { terminal }: Context,
): Promise<RunListener> {
  const listeners = [progressOn(terminal, run.dataset.classNames)];
  if (dashboard) {
    const isFirst = dashboard.url === undefined;
    listeners.push(await dashboard.begins(await shownRun(run, session, path, among)));
    // The lines give the address, and what is needed to open it from another machine.
    for (const line of isFirst ? [`dashboard: ${dashboard.url}`, dashboard.keys] : [])
      if (line !== undefined) terminal.note(line);
  }
  return together(listeners);
}

async function shownRun(
  run: ResolvedRun,
  { dispatcher, activities }: Session,
  path: string,
  among: Watch['among'],
): Promise<Parameters<Dashboard['begins']>[0]> {
  const { readRun } = await import('../report.js');
  const { viewsNews } = await import('../dashboard/pictures.js');
  const { config, dataset, split, stages, maxSteps } = run;
  const { name, metrics: past } = await readRun(path);
  const title = `${among?.title ?? rowName(config)}, preset ${config.preset}, seed ${config.seed}`;
  const { lostWorkers: before } = dispatcher.health();
  return {
    info: { name: among?.name ?? name, title, classNames: dataset.classNames, views: viewsNews(viewsOf(run)) },
    stages,
    maxSteps,
    past,
    images: { dataset, unlabelled: split.unlabelled },
    lostWorkers: () => dispatcher.health().lostWorkers - before,
    ...(activities && { nodes: activities }),
  };
}
