// Tests the predicted class in the kernel, which is the lowest of equal ones, and its confidence.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { classify } from '../../src/models/dense/classify.js';
import { expectClose, type Logits, ROWS, SMALLEST_NORMAL, softmax, unitsMajor, wideLogits } from './logits.js';
import { scratch } from './scratch.js';

describe('the predicted class', () => {
  function classified(logits: Logits, isSoftmax: boolean, bias?: readonly number[]) {
    const { kernel, floats, uint16s } = scratch();
    const classes = logits[0]!.length;
    const z = floats(unitsMajor(logits));
    const predicted = uint16s(new Uint16Array(ROWS).fill(65535));
    const confidences = floats(new Float32Array(ROWS));
    const { byteOffset } = floats(bias ?? new Float32Array(classes));
    const to = [predicted.byteOffset, confidences.byteOffset] as const;
    kernel.classify(z.byteOffset, byteOffset, classes, ROWS, Number(isSoftmax), ...to);
    return { predicted, confidences };
  }

  it('is the lowest of those with the largest logit', () => {
    const fewValues = fc.array(fc.array(fc.constantFrom<number[]>(-1, 0, 0.5, 2), { minLength: 10, maxLength: 10 }), {
      minLength: ROWS,
      maxLength: ROWS,
    });
    fc.assert(
      fc.property(fewValues, fc.boolean(), (logits, isSoftmax) => {
        expect([...classified(logits, isSoftmax).predicted]).toEqual(
          logits.map((row) => row.indexOf(Math.max(...row))),
        );
      }),
    );
  });

  it('is that of the logit with its bias', () => {
    const logits = Array.from({ length: ROWS }, () => [0, 0, 0]);
    expect([...classified(logits, true, [0, -1, 0.5]).predicted]).toEqual(new Array(ROWS).fill(2));
  });

  it('has the confidence of its softmax or sigmoid output, however large the logits', () => {
    fc.assert(
      fc.property(wideLogits, (logits) => {
        const { confidences: ofSoftmax } = classified(logits, true);
        const { confidences: ofSigmoid } = classified(logits, false);
        logits.forEach((row, r) => {
          expectClose(ofSoftmax[r]!, Math.max(...softmax(row)), 5e-7, 0);
          expectClose(ofSigmoid[r]!, 1 / (1 + Math.exp(-Math.max(...row))), 5e-7, SMALLEST_NORMAL * 1e6);
        });
      }),
    );
  });

  it('has a sigmoid confidence within 5e-7 down to -87, and next to 0 below', () => {
    for (let logit = -120; logit < 20; logit += 0.37) {
      const [confidence] = classified(
        Array.from({ length: ROWS }, () => [Math.fround(logit)]),
        false,
      ).confidences;
      if (logit > -87) expectClose(confidence!, 1 / (1 + Math.exp(-Math.fround(logit))), 5e-7, 0);
      else expect(confidence! >= 0 && confidence! < 2 * SMALLEST_NORMAL).toBe(true);
    }
  });

  it('comes with the probabilities of all classes at a temperature, with the bias or the shift added once', () => {
    fc.assert(
      fc.property(wideLogits, fc.boolean(), fc.constantFrom(0.5, 1, 2), (logits, isShifted, temperature) => {
        const { kernel, memory, floats, uint16s } = scratch();
        const classes = logits[0]!.length;
        const [bias, logitShift] = [0.5, -2].map((step) => Float32Array.from({ length: classes }, (_, c) => c * step));
        const at = {
          logits: floats(unitsMajor(logits)).byteOffset,
          bias: floats(bias!).byteOffset,
          classes,
          rows: ROWS,
          softmax: true,
          predicted: uint16s(new Uint16Array(ROWS)).byteOffset,
          confidences: floats(new Float32Array(ROWS)).byteOffset,
          shift: floats(new Float32Array(classes)).byteOffset,
          masses: floats(new Float32Array(4 * classes)).byteOffset,
        };
        const predicted = classify(kernel, memory, at, ROWS, isShifted ? logitShift : undefined, 'plain');
        const found = predicted.probabilities(temperature);
        logits.forEach((row, r) => {
          const added = row.map((logit, c) =>
            Math.fround(Math.fround(logit + bias![c]!) + (isShifted ? logitShift![c]! : 0)),
          );
          softmax(added.map((logit) => logit / temperature)).forEach((expected, c) => {
            expect(found[c * ROWS + r]).toBeCloseTo(expected, 5);
          });
        });
      }),
    );
  });
});
