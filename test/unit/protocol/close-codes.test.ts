// Tests how the reason of an end is sent in a close frame.
import { describe, expect, it } from 'vitest';
import { type ErrorCode, PseudolabelError } from '../../../src/errors.js';
import { closeFrameOf, reasonOf } from '../../../src/protocol/close-codes.js';

describe('the reason of an end', () => {
  it.each([
    'E_CLOSED',
    'E_PROTOCOL',
    'E_TOKEN',
    'E_TIMEOUT',
    'E_TOO_LARGE',
    'E_VERSION',
    'E_BUSY',
  ] satisfies ErrorCode[])('arrives as %s if it is that', (code) => {
    const frame = closeFrameOf(new PseudolabelError(code, 'why', 'fix'));
    const reason = reasonOf(frame.code, frame.text, 'peer');
    expect(reason).toMatchObject({ code, message: `peer ended the connection with '${code}: why'` });
    expect(reason.fix).not.toBe('');
  });

  it('fits a close frame, as ASCII, however long it is and whatever is in it', () => {
    const { text } = closeFrameOf(new PseudolabelError('E_MODEL', `é漢🙂\u0007${'x'.repeat(500)}`, ''));
    expect(text).toMatch(/^[ -~]{123}$/);
  });

  it('has a code also where the other side gives none of ours', () => {
    const codes = [1000, 1001, 1002, 1005, 1006, 1009, 1011, 4000, 4999].map((code) => reasonOf(code, '', 'peer').code);
    expect(codes).toEqual([
      'E_CLOSED',
      'E_CLOSED',
      'E_PROTOCOL',
      'E_CLOSED',
      'E_CONNECTION_LOST',
      'E_TOO_LARGE',
      'E_PROTOCOL',
      'E_CLOSED',
      'E_PROTOCOL',
    ]);
  });

  it('shows nothing of the other side that would move a cursor', () => {
    expect(reasonOf(4000, '\u001b[2Jx\u202e', 'peer').message).toBe("peer ended the connection with '?[2Jx?'");
  });
});
