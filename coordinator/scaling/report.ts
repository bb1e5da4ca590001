// Writes the files of a scaling measurement: scaling.json and scaling.txt, and report.html and plots/ made from
// scaling.json.
import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { writeIn } from '../../src/files/write.js';
import { counted, whole } from '../../src/format.js';
import { SCALING } from '../../src/reporting/record.js';
import { plotsOf, type ReportedPhase, scalingPage } from '../../src/reporting/scaling-page.js';
import { bytesMoved, linkOf, phaseWords, scalingLines } from './lines.js';
import type { PhaseReport, ScalingReport } from './measure.js';

const JSON_FILE = 'scaling.json';

export const isScaling = (folder: string): boolean => existsSync(join(folder, JSON_FILE));

/** Writes scaling.json and scaling.txt. Throws E_OUTPUT. */
export async function keepScaling(folder: string, report: ScalingReport): Promise<void> {
  await writeIn(folder, JSON_FILE, `${JSON.stringify(report, null, 2)}\n`);
  await writeIn(folder, 'scaling.txt', `${scalingLines(report).join('\n')}\n`);
}

/**
 * Writes report.html and plots/ from scaling.json. Returns the path of report.html. Throws E_OUTPUT.
 * @param read reads a JSON file, and throws if it does not fit the schema
 */
export async function writeScalingReport(
  folder: string,
  read: <T>(path: string, schema: { parse(value: unknown): T }) => Promise<T>,
): Promise<string> {
  // Fields that are missing in JSON are undefined.
  const report = (await read(join(folder, JSON_FILE), SCALING)) as unknown as ScalingReport;
  const phases = report.phases.map((phase) => reported(phase, report));
  for (const [file, svg] of phases.flatMap(plotsOf)) await writeIn(folder, `plots/${file}`, `${svg}\n`);
  const { mode, network } = report;
  const link = network && linkOf(network);
  const page = scalingPage({ name: basename(resolve(folder)), mode, facts: factsOf(report), link, phases });
  await writeIn(folder, 'report.html', page);
  return join(folder, 'report.html');
}

function reported(phase: PhaseReport, report: ScalingReport): ReportedPhase {
  const { rows, rounds, prediction } = phase;
  const megabytes = rows.map((row) => [row.workers, bytesMoved(phase, row) / 1e6] as const);
  return {
    phase: phase.phase,
    unit: report.unit,
    rows,
    rounds: rounds.length,
    prediction,
    megabytes: Object.fromEntries(megabytes),
    words: phaseWords(phase, report),
  };
}

function factsOf({ machine, workload }: ScalingReport): (readonly [string, string])[] {
  return [
    ['Processor', machine.processor],
    ['Cores', String(machine.cores)],
    ['Load before', machine.load.toFixed(1)],
    ['Node.js', machine.node],
    ['Preset', `${workload.preset}, ${whole(workload.hidden)} hidden units, seed ${workload.seed}`],
    ['Strategy', workload.strategy],
    ['A block', counted(workload.steps, 'step')],
  ];
}
