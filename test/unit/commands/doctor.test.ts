// Tests what the doctor concludes from what it finds.
import { describe, expect, it } from 'vitest';
import { diagnose, keptHere, keptNow, nodeVersion, threads } from '../../../coordinator/commands/doctor.js';
import { PseudolabelError } from '../../../src/errors.js';

describe('the doctor', () => {
  it('takes Node.js from 20.15, and notes one that is newer than those tried', () => {
    const states = ['18.20.4', '20.14.0', '20.15.0', '22.1.0', '26.10.0', '27.0.0'].map((version) =>
      nodeVersion(version),
    );
    expect(states.map(({ state }) => state)).toEqual(['wrong', 'wrong', 'ok', 'ok', 'ok', 'note']);
  });

  it('notes threads inside of TensorFlow', () => {
    expect(threads({ TF_NUM_INTRAOP_THREADS: '1' }).state).toBe('ok');
    for (const env of [{}, { TF_NUM_INTRAOP_THREADS: '4' }]) {
      expect(threads(env)).toMatchObject({ state: 'note', fix: expect.stringContaining('1') });
    }
  });

  it('hints at what could be cleaned up where that is much, and never at what is needed', () => {
    expect(keptHere([{ bytes: 2 ** 40, neededBy: 'this installation' }]).state).toBe('ok');
    expect(keptHere([{ bytes: 2 ** 20, neededBy: undefined }])).toMatchObject({
      state: 'ok',
      found: expect.stringMatching(/MB|MiB/),
    });
    expect(keptHere([{ bytes: 2 ** 33, neededBy: undefined }])).toMatchObject({
      state: 'note',
      fix: expect.stringContaining('pseudolabel clean'),
    });
  });

  it('finds nothing wrong with files that a set-up is writing at the moment', async () => {
    const locked = () => Promise.reject(new PseudolabelError('E_LOCKED', 'a set-up is at work', 'wait'));
    expect(await keptNow(locked)).toMatchObject({ state: 'note', fix: 'wait' });
    await expect(keptNow(() => Promise.reject(new Error('odd')))).rejects.toThrow('odd');
  });

  it('goes on after a check that fails, and says what to do', async () => {
    const findings = await diagnose([
      ['first', () => Promise.reject(new PseudolabelError('E_DATA_MISSING', 'no data', 'get data'))],
      [
        'second',
        () => {
          throw new Error('odd\nand long');
        },
      ],
      ['third', () => ({ state: 'ok', found: 'fine' })],
    ]);
    expect(findings).toEqual([
      { name: 'first', state: 'wrong', found: 'E_DATA_MISSING: no data', fix: 'get data' },
      { name: 'second', state: 'wrong', found: 'odd', fix: expect.stringContaining('setup') },
      { name: 'third', state: 'ok', found: 'fine' },
    ]);
  });
});
