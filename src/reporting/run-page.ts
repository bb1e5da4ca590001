// Owns the report of one run.
import { ROW_NAMES } from '../training/scenario.js';
import { page } from './page.js';
import type { RunRecord } from './record.js';
import {
  configSection,
  confusionSection,
  curvesSection,
  dataSection,
  mistakesSection,
  qualitySection,
  reconstructionsSection,
  resultSection,
} from './sections.js';

/** A whole HTML document. */
export function runPage(run: RunRecord): string {
  const { config, result } = run;
  const lead = result
    ? `Run ${run.name}: preset ${result.preset}, seed ${result.seed}, split ${splitOf(result)}`
    : `Run ${run.name}`;
  return page(`${ROW_NAMES[config.scenario]}: report of a run`, lead, [
    resultSection(run),
    dataSection(run),
    curvesSection(run),
    qualitySection(run),
    confusionSection(run),
    mistakesSection(run),
    reconstructionsSection(run),
    configSection(run),
  ]);
}

const splitOf = ({ split, splitSeed }: { split: string; splitSeed: number }): string =>
  split === 'first' ? 'first' : `${split} ${splitSeed}`;
