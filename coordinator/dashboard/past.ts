// Owns what a dashboard knows of a run that is no longer going on: what its directory holds.

import { STAGE_TITLES } from '../../src/reporting/curves.js';
import { ROW_NAMES } from '../../src/training/scenario.js';
import { History } from './history.js';

/** name: of the run, within its reproduction; undefined: of its directory. Throws E_REPORT. */
export async function recordedHistory(path: string, name?: string, title?: string): Promise<History> {
  const { readRun } = await import('../report.js');
  const run = await readRun(path, name);
  const names = [...new Set(run.metrics.map(({ stage }) => stage))];
  const stages = names.map((each) => {
    const steps = run.metrics.filter((metric) => metric.kind === 'step' && metric.stage === each);
    return { title: STAGE_TITLES[each], steps: (steps.at(-1)?.step ?? 0) + 1 };
  });
  const info = {
    name: run.name,
    title: title ?? ROW_NAMES[run.config.scenario],
    stages,
    hasReport: true,
    classNames: run.data?.classNames,
  };
  const history = new History(info, names, run.metrics, undefined);
  if (run.result) history.ends('ended', 'the run has ended');
  else history.ends('interrupted', 'the run has not ended: this is what it has written so far');
  return history;
}
