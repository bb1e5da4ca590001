// The WebSocket close code of each reason to end a connection, and the stable error code of each close code.
import { type ErrorCode, PseudolabelError } from '../errors.js';
import { printable } from '../format.js';

/** The codes of our errors. Codes from 4000 up are reserved for applications. */
const CLOSE_CODES = {
  E_CLOSED: 1000,
  E_PROTOCOL: 4400,
  E_TOKEN: 4401,
  E_TIMEOUT: 4408,
  E_TOO_LARGE: 4413,
  E_VERSION: 4426,
  E_BUSY: 4429,
} as const satisfies Partial<Record<ErrorCode, number>>;

/** The code of a reason that is not about the connection. The text names it. */
const OTHER_REASON = 4000;

/** Codes that a WebSocket library itself sends or reports. */
const FOREIGN_CODES: Readonly<Record<number, ErrorCode>> = {
  1001: 'E_CLOSED', // going away
  1002: 'E_PROTOCOL',
  1003: 'E_PROTOCOL',
  1005: 'E_CLOSED', // no code given
  1006: 'E_CONNECTION_LOST', // no closing handshake
  1007: 'E_PROTOCOL',
  1008: 'E_PROTOCOL',
  1009: 'E_TOO_LARGE',
  [OTHER_REASON]: 'E_CLOSED',
};

/** The most bytes of the text. A close frame holds 125 bytes, two of which are its code. */
const MOST_TEXT_BYTES = 123;

/** Returns what to write into a close frame. The text is 'E_CODE: message'. */
export function closeFrameOf(reason: PseudolabelError): { code: number; text: string } {
  const code = isOwn(reason.code) ? CLOSE_CODES[reason.code] : OTHER_REASON;
  const text = Buffer.from(`${reason.code}: ${reason.message}`).toString('latin1', 0, MOST_TEXT_BYTES);
  return { code, text: text.replace(/[^\x20-\x7e]/g, '?') }; // ASCII, so that the cut is never within a character
}

/**
 * Returns the error that the other side's close frame, or its absence, means here. The text is shown but never acted
 * upon, because another machine wrote it.
 */
export function reasonOf(code: number, text: string, peer: string): PseudolabelError {
  const [own] = Object.entries(CLOSE_CODES).find(([, number]) => number === code) ?? [];
  const errorCode = (own as ErrorCode | undefined) ?? FOREIGN_CODES[code] ?? 'E_PROTOCOL';
  if (errorCode === 'E_CONNECTION_LOST') return connectionLost(peer, 'broke');
  const said = text === '' ? `with close code ${code}` : `with '${printable(text)}'`;
  return new PseudolabelError(errorCode, `${peer} ended the connection ${said}`, FIXES[errorCode] ?? FIXES.E_CLOSED!);
}

export function connectionLost(peer: string, how: string, cause?: unknown): PseudolabelError {
  const fix = 'check that the machine still runs and can be reached; a worker connects again by itself';
  return new PseudolabelError('E_CONNECTION_LOST', `the connection to ${peer} ${how}`, fix, { cause });
}

export function closedHere(peer: string): PseudolabelError {
  return new PseudolabelError('E_CLOSED', `the connection to ${peer} was closed`, 'connect again if it was too early');
}

const SAME_VERSION = 'run the same version on both machines';
const FIXES: Partial<Readonly<Record<ErrorCode, string>>> = {
  E_CLOSED: 'look at the other machine, if it was too early',
  E_PROTOCOL: SAME_VERSION,
  E_TOO_LARGE: SAME_VERSION,
  E_VERSION: SAME_VERSION,
  E_TOKEN: 'give both sides the same token file',
  E_TIMEOUT: 'the other machine may be overloaded, or the network slow: try again',
  E_BUSY: 'try again later, or start the coordinator with higher limits',
};

function isOwn(code: ErrorCode): code is keyof typeof CLOSE_CODES {
  return Object.hasOwn(CLOSE_CODES, code);
}
