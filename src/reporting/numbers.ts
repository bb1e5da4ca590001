// The numbers section of a report: the hyper-parameters of each stage, and how to train the same run again.
import { flagOf, settingTexts, shellWord, valueText } from '../option-text.js';
import { optionsSchema } from '../training/config.js';
import { STAGE_TITLES } from './curves.js';
import { type Html, html, table } from './page.js';
import type { RunRecord } from './record.js';

type Config = RunRecord['config'];

/** Options that do not affect what is trained, or that are shown elsewhere. */
const NOT_REPEATED: ReadonlySet<string> = new Set([
  ...['workers', 'stages', 'cache', 'checkpointEvery', 'checkpointSeconds', 'keepCheckpoints'],
]);

/** Returns the command that trains the same weights, on any number of workers, or undefined if options alone cannot. */
export function repeatLine(config: Config): string | undefined {
  if (config.preset === 'custom') return undefined;
  const usual: Readonly<Record<string, unknown>> = optionsSchema.parse({});
  const words = Object.keys(optionsSchema.shape).flatMap((key) => {
    const value = config[key];
    const isIdle = key === 'splitSeed' && config.split !== 'random' && !config.validation;
    if (NOT_REPEATED.has(key) || isIdle || value === undefined || value === usual[key]) return [];
    return wordsOf(key, value);
  });
  return ['pseudolabel train', ...words].join(' ');
}

function wordsOf(key: string, value: unknown): string[] {
  const flag = flagOf(key);
  if (value === false) return [];
  if (value === true) return [flag];
  if (Array.isArray(value)) return [flag, value.join(',')];
  if (typeof value === 'object' && value !== null)
    return settingTexts({ ...value }).flatMap((text) => [flag, shellWord(text)]);
  return [flag, shellWord(String(value))];
}

export function repeatParts({ config }: RunRecord): Html {
  const line = repeatLine(config);
  const file = 'pseudolabel train --config config.json';
  const exact =
    line === undefined
      ? html`<p>With the config.json of its folder, since its stages are the user's own:</p><pre><code>${file}</code></pre>`
      : html`<p>The same weights, bit for bit, on any number of workers:</p><pre><code>${line}</code></pre>
<p class="lead">Or with the config.json of its folder: <code>${file}</code></p>`;
  return html`<h3>Train it again</h3>${exact}`;
}

/**
 * Returns a table of the stages' numbers by their paths, as `--set` takes them, or undefined if an older version did
 * not write them.
 */
export function settingsTable({ config }: RunRecord): Html | undefined {
  const settings = settingsOf(config.stages);
  if (!settings) return undefined;
  return table({
    caption: 'Hyper-parameters of each stage; --set STAGE.NAME=VALUE changes one',
    columns: ['Name', ...settings.stages],
    isText: true,
    rows: settings.rows.map(({ path, values }) => [path, ...values.map((value) => value ?? undefined)]),
  });
}

/** A row for each number, with null for a stage that does not have it. */
export interface SettingsColumns {
  readonly stages: readonly string[];
  readonly rows: readonly { readonly path: string; readonly values: readonly (string | null)[] }[];
}

/** Returns the numbers of stages as text, whoever wrote them, or undefined if there are none. */
export function settingsOf(given: unknown): SettingsColumns | undefined {
  const stages = (Array.isArray(given) ? given : []).filter(isObject);
  if (stages.length === 0) return undefined;
  const columns = stages.map(({ name, model, ...settings }) => ({
    name: String(name),
    settings: new Map([['model', modelText(model)], ...flattened(settings)] as [string, string][]),
  }));
  const paths = [...new Set(columns.flatMap(({ settings }) => [...settings.keys()]))];
  return {
    stages: columns.map(({ name }) => titleOf(name)),
    rows: paths.map((path) => ({ path, values: columns.map(({ settings }) => settings.get(path) ?? null) })),
  };
}

const titleOf = (name: string): string => {
  const title = Object.entries(STAGE_TITLES).find(([each]) => each === name)?.[1];
  return title === undefined ? name : `${title} (${name})`;
};

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Returns the numbers, words and switches in settings by their paths after a name. Lists are left out. */
export function numbersOf(name: string, settings: object): [path: string, value: number | string | boolean][] {
  return Object.entries(settings).flatMap(([key, value]: [string, unknown]): [string, number | string | boolean][] => {
    if (isObject(value)) return numbersOf(`${name}.${key}`, value);
    const isPlain = typeof value === 'number' || typeof value === 'string' || typeof value === 'boolean';
    return isPlain ? [[`${name}.${key}`, value]] : [];
  });
}

function flattened(settings: Record<string, unknown>, before = ''): [string, string][] {
  return Object.entries(settings).flatMap(([key, value]): [string, string][] =>
    isObject(value) ? flattened(value, `${before}${key}.`) : [[`${before}${key}`, numberText(value)]],
  );
}

const numberText = (value: unknown): string =>
  typeof value === 'number' ? String(Number(value.toPrecision(6))) : valueText(value);

/** Returns the units of a dense network, with the rates of dropout, or the kind of another one. */
function modelText(model: unknown): string {
  if (!isObject(model)) return valueText(model);
  const layers = Array.isArray(model.layers) ? model.layers.filter(isObject) : [];
  if (model.kind !== 'dense' || layers.length === 0) return `${valueText(model.kind)}`;
  const units = [layers[0]!.inputs, ...layers.map((layer) => layer.units)].map(valueText).join('-');
  const rates = [model.inputDropout, ...layers.map(({ dropout }) => dropout)].slice(0, layers.length);
  return `dense ${units}${rates.some(Boolean) ? `, dropout ${rates.map(valueText).join(', ')}` : ''}`;
}
