// Owns the flags of the live page, and what it is told of a run before that begins.
import type { Command } from 'commander';
import type { RunConfig } from '../../src/training/config.js';
import { planOf } from '../../src/training/plan.js';
import { ROW_NAMES } from '../../src/training/scenario.js';
import { parseAddress } from '../../worker/address.js';
import type { Place } from '../dashboard/access.js';
import type { Dashboard, ShownRun } from '../dashboard/dashboard.js';
import { type Session, taskOf } from '../session.js';
import type { Terminal } from '../terminal/terminal.js';
import type { ClusterSession } from './cluster.js';

export interface DashboardFlags {
  /** true: at the usual port of this machine. */
  readonly dashboard?: Pick<Place, 'host' | 'port'> | true;
  readonly dashboardToken?: string;
  readonly insecure?: boolean;
  readonly certificate?: string;
  readonly key?: string;
}

/** Of `--dashboard` without a number. */
const DASHBOARD_PORT = 8765;
const LOOPBACK = '127.0.0.1';

export function addDashboardOptions(command: Command): Command {
  return command
    .option(
      '--dashboard [host:port]',
      `live page, and numbers for Prometheus, on this machine unless another address is given (${DASHBOARD_PORT})`,
      place,
    )
    .option('--dashboard-token <file>', 'the token that others must know to see it (made where there is none)');
}

/** '8765' or '0.0.0.0:8765'. */
function place(text: string): Pick<Place, 'host' | 'port'> {
  const { host, port } = parseAddress(/^\d+$/.test(text) ? `${LOOPBACK}:${text}` : text);
  return { host, port };
}

/** undefined where no page is asked for. */
export function placeOf(flags: DashboardFlags): Place | undefined {
  const { dashboard, dashboardToken, insecure = false, certificate, key } = flags;
  if (dashboard === undefined) return undefined;
  return {
    ...(typeof dashboard === 'object' ? dashboard : { host: LOOPBACK, port: DASHBOARD_PORT }),
    tokenFile: dashboardToken,
    insecure,
    certificate: certificate && key ? { file: certificate, key } : undefined,
  };
}

/** name: of the run where it is one of several; undefined: that of its directory. */
export async function shownRun(
  { dataset, dispatcher, ...session }: Session | ClusterSession,
  config: RunConfig,
  path: string,
  several?: Pick<ShownRun['info'], 'name' | 'title'>,
): Promise<ShownRun> {
  const { readRun } = await import('../report.js');
  const { name, metrics } = await readRun(path);
  const title = `${several?.title ?? ROW_NAMES[config.scenario]}, preset ${config.preset}, seed ${config.seed}`;
  const { lostWorkers: before } = dispatcher.health();
  return {
    info: { name: several?.name ?? name, title, classNames: dataset.classNames },
    stages: planOf(config, taskOf(config, dataset)),
    maxSteps: config.maxSteps ?? Number.POSITIVE_INFINITY,
    past: metrics,
    lostWorkers: () => dispatcher.health().lostWorkers - before,
    ...('activities' in session ? { nodes: session.activities } : {}),
  };
}

/** Says where it is, and what someone has to know who looks from elsewhere. */
export function announce({ url, keys }: Dashboard, terminal: Terminal): void {
  terminal.note(`dashboard: ${url}`);
  if (keys !== undefined) terminal.note(keys);
}
