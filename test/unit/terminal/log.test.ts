// Tests structured logs: one object per line, and not a line for each of thousands of steps.
import { describe, expect, it } from 'vitest';
import { jsonLogger, Log } from '../../../coordinator/terminal/progress.js';
import { COLOURS, Terminal } from '../../../coordinator/terminal/terminal.js';
import { PseudolabelError } from '../../../src/errors.js';

function logged() {
  const lines: string[] = [];
  const output = { write: (text: string) => lines.push(text) };
  return { output, objects: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

describe('a log of a run', () => {
  it('has a step every half a second and the last of a stage, and everything else', () => {
    const { output, objects } = logged();
    let now = 0;
    const log = new Log(jsonLogger(output), () => now);
    log.saved('somewhere');
    for (let step = 0; step < 30; step++) {
      now += 50;
      const losses = { loss: 0.5, labelledLoss: 0.5, unlabelledLoss: 0, counted: 0, unlabelled: 0, rows: 32, alpha: 0 };
      log.measured({ kind: 'step', stage: 'supervised', step, ...losses });
      if (step === 4) log.measured({ kind: 'validation', stage: 'supervised', step, accuracy: 0.7 });
    }
    expect(objects().map(({ event, step }) => [event, step])).toEqual([
      ['saved', undefined],
      ['validation', 4],
      ...[9, 19, 29].map((step) => ['step', step]),
    ]);
    expect(objects()[2]).toMatchObject({
      level: 'info',
      stage: 'supervised',
      labelledLoss: 0.5,
      time: expect.stringMatching(/Z$/),
    });
  });
});

describe('a terminal whose notes go to a log', () => {
  it('writes notes and errors as objects, and nothing else', () => {
    const { output, objects } = logged();
    const terminal = new Terminal(output, output, {});
    terminal.log = jsonLogger(output);
    terminal.note(`  ${COLOURS.bold('bold')} words`);
    terminal.explain(new PseudolabelError('E_OUTPUT', 'the disk is full', 'free some'));
    expect(objects()).toMatchObject([
      { level: 'info', msg: 'bold words' },
      { level: 'error', msg: 'the disk is full', code: 'E_OUTPUT', fix: 'free some' },
    ]);
  });
});
