// Owns dashboards of what is no longer going on, from its directory: of a run, or of a reproduction.
import { join } from 'node:path';
import { PseudolabelError } from '../../src/errors.js';
import { isReproduction, loadReproduction } from '../runs/reproduction.js';
import { RunDirectory } from '../runs/run-directory.js';
import { recordedHistory } from './past.js';
import { Reproduced } from './reproduced.js';
import { type DashboardServer, serve } from './server.js';

/** Throws E_LISTEN, E_REPORT, E_USAGE. */
export async function serveRecorded(directory: string, port: number): Promise<DashboardServer> {
  const here = { host: '127.0.0.1', port };
  if (RunDirectory.isAt(directory))
    return serve({ history: await recordedHistory(directory), gauges: undefined, directory }, here);
  if (!isReproduction(directory)) {
    const fix = `open ${join(directory, 'report.html')}, or give the directory of a run or a reproduction`;
    throw new PseudolabelError('E_USAGE', `${directory} holds no run that a dashboard could show`, fix);
  }
  const runs = await Reproduced.open(await loadReproduction(directory), directory);
  const history = runs.last === undefined ? undefined : await runs.history(runs.last);
  if (!history) throw new PseudolabelError('E_REPORT', `no run of ${directory} has begun`, 'start it by --resume');
  runs.ends(runs.isComplete ? 'ended' : 'interrupted');
  return serve({ history, runs, gauges: undefined, directory }, here);
}
