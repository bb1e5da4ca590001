// Formats numbers for people, and makes text from other sources safe to print.

/** Returns a share as a percentage. share: from 0 to 1. */
export const percent = (share: number, digits = 2): string => `${(100 * share).toFixed(digits)} %`;

/** Returns a size in decimal units, such as 814 MB. */
export function byteText(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  const exponent = Math.min(units.length - 1, Math.max(0, Math.floor((String(Math.round(bytes)).length - 1) / 3)));
  const value = bytes / 1000 ** exponent;
  return `${exponent === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[exponent]}`;
}

export const whole = (number: number): string => Math.round(number).toLocaleString('en-US');

/** Returns a duration, such as '8.3 s', '4m 05s' or '2h 07m'. */
export function duration(seconds: number): string {
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const rounded = Math.round(seconds);
  const two = (number: number): string => String(Math.floor(number)).padStart(2, '0');
  if (rounded < 3600) return `${Math.floor(rounded / 60)}m ${two(rounded % 60)}s`;
  return `${Math.floor(rounded / 3600)}h ${two((rounded % 3600) / 60)}m`;
}

/** Returns a loss in few digits. The width is usually the same, so that a line that is redrawn does not move. */
export const loss = (value: number): string => value.toFixed(value < 100 ? 3 : 1);

/** Returns a count with its noun, such as '2 workers' or '1 worker'. */
export const counted = (count: number, thing: string): string => `${whole(count)} ${thing}${count === 1 ? '' : 's'}`;

/** Shortens a text, such as the name of a class, to at most `most` characters. */
export const shortened = (text: string, most: number): string => {
  const characters = Array.from(text);
  return characters.length > most ? `${characters.slice(0, most - 1).join('')}…` : text;
};

/** Returns a bar, such as '[#######.............]'. */
export function bar(share: number, width: number): string {
  const filled = Math.min(width, Math.floor(share * width));
  return `[${'#'.repeat(filled)}${'.'.repeat(width - filled)}]`;
}

/**
 * Returns an accuracy in per cent, with its deviation if there are several runs, and a mark if it is above the
 * report's. Returns undefined if there is no accuracy.
 */
export function accuracyText(row: {
  readonly accuracy: number | undefined;
  readonly deviation: number | undefined;
  readonly aboveReport: boolean;
}): string | undefined {
  const { accuracy, deviation, aboveReport } = row;
  if (accuracy === undefined) return undefined;
  return `${aboveReport ? '✓ ' : ''}${accuracy.toFixed(2)}${deviation === undefined ? '' : ` ± ${deviation.toFixed(2)}`}`;
}

const MOST_CHARACTERS = 200;

/** Control and invisible characters, and those that end a line. */
const HIDDEN = /[\p{C}\p{Zl}\p{Zp}]/gu;

/** Returns the text on one line, with a '?' for each character that would move a terminal's cursor. */
export const visible = (text: string): string => text.replace(HIDDEN, '?');

/** Does the same and shortens the text. It is for text from other machines. */
export const printable = (text: string): string => visible(text.slice(0, MOST_CHARACTERS));

/**
 * Escapes such characters in JSON, except for its own line ends. JSON.stringify leaves some of them in texts unescaped.
 */
export function visibleJson(json: string): string {
  return json.replace(HIDDEN, (found) => {
    if (found === '\n') return found;
    return Array.from(
      { length: found.length },
      (_, i) => `\\u${found.charCodeAt(i).toString(16).padStart(4, '0')}`,
    ).join('');
  });
}
