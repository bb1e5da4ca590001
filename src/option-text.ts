// Options as the command line spells them, for what reads them there and for what tells the user to type them.
import { parseJson } from './files/read.js';

/** Turns 'labelsPerClass' into '--labels-per-class'. */
export const flagOf = (key: string): string => `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** Quotes a word so that a POSIX shell reads it back unchanged. */
export function shellWord(word: string): string {
  return /^[\w@%+:,./][\w@%+=:,./-]*$|^-[\w=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Splits the text of a setting, as --set takes it, at its '='. Returns undefined if it has no path or no value. */
export function settingParts(text: string): { readonly path: string; readonly value: string } | undefined {
  const [, path, value] = /^([\w.-]+)=(.+)$/s.exec(text) ?? [];
  return path === undefined || value === undefined ? undefined : { path, value };
}

/** Reads the value of a setting. A value that is not JSON is a word. */
export function settingValue(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return text;
  }
}

/** Returns a value as settingValue() reads it. */
export const valueText = (value: unknown): string =>
  typeof value === 'string' ? value : (JSON.stringify(value) ?? '');

/** Returns each setting as --set takes it, such as 'finetune.threshold=0.7'. */
export const settingTexts = (settings: Readonly<Record<string, unknown>> = {}): string[] =>
  Object.entries(settings).map(([path, value]) => `${path}=${valueText(value)}`);
