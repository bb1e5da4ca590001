// Colours that only we can give: a painted text carries marks that nobody else knows, and the terminal alone makes escape sequences of them.
// So whatever a name, a path or a message has in it, it is shown as text.
import { randomBytes } from 'node:crypto';
import { visible } from '../../src/format.js';

/** How each is switched on and off (ECMA-48, "select graphic rendition"). */
const CODES = { bold: [1, 22], dim: [2, 22], red: [31, 39], green: [32, 39], yellow: [33, 39] } as const;

type Paint = (text: string) => string;
export type Colours = Readonly<Record<keyof typeof CODES, Paint>>;

const ESCAPE = '\u001b';
/** Of this process. What comes from elsewhere would have to guess it. */
const SECRET = randomBytes(16).toString('hex');
const MARK = new RegExp(`${ESCAPE}${SECRET}(\\d+);`);

export const COLOURS = Object.fromEntries(
  Object.entries(CODES).map(([name, [on, off]]) => [name, (text: string) => mark(on) + text + mark(off)]),
) as Colours;

export const PLAIN = Object.fromEntries(Object.keys(CODES).map((name) => [name, (text: string) => text])) as Colours;

/** A line as a terminal is to get it: our own marks become escape sequences, or nothing; no other control character is left. */
export function rendered(line: string, isColoured: boolean): string {
  return line
    .split(MARK)
    .map((part, i) => (i % 2 === 0 ? visible(part) : isColoured ? `${ESCAPE}[${part}m` : ''))
    .join('');
}

function mark(code: number): string {
  return `${ESCAPE}${SECRET}${code};`;
}
