// Tests that the real TensorBoard reads the event files.
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { folderOfFile } from '../folders.js';
import { interrupt, pseudolabel, start } from './command.js';

const run = promisify(execFile);

const PIN = 'tensorboard==2.21.0';
const HOME = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'pseudolabel', 'test-tensorboard');
const PYTHON = join(HOME, 'bin', 'python');
const STAMP = join(HOME, 'stamp');
const INSTALL_DEADLINE_MS = 180_000;

/** Prints what TensorBoard finds in a folder as JSON: scalars as [step, value], and the last histogram and image. */
const READ = `
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1], size_guidance={'scalars': 0, 'histograms': 0, 'images': 0})
events.Reload()
tags = events.Tags()
histogram = lambda h: {'num': h.num, 'min': h.min, 'max': h.max, 'limits': list(h.bucket_limit), 'counts': list(h.bucket)}
image = lambda i: {'width': i.width, 'height': i.height, 'png': i.encoded_image_string[:8].hex()}
from tensorboard.plugins.hparams import plugin_data_pb2
def hparams(events):
  found = {}
  for tag, content in events.PluginTagToContent('hparams').items():
    data = plugin_data_pb2.HParamsPluginData.FromString(content)
    found[tag] = {k: v.number_value or v.string_value for k, v in data.session_start_info.hparams.items()} if data.HasField('session_start_info') else data.session_end_info.status
  return found
print(json.dumps({
  'scalars': {tag: [[e.step, e.value] for e in events.Scalars(tag)] for tag in tags['scalars']},
  'histograms': {tag: histogram(events.Histograms(tag)[-1].histogram_value) for tag in tags['histograms']},
  'images': {tag: image(events.Images(tag)[-1]) for tag in tags['images']},
  'hparams': hparams(events),
}))
`;

interface Found {
  readonly scalars: Readonly<Record<string, readonly (readonly [step: number, value: number])[]>>;
  readonly histograms: Readonly<
    Record<string, { num: number; min: number; max: number; limits: number[]; counts: number[] }>
  >;
  readonly images: Readonly<Record<string, { width: number; height: number; png: string }>>;
  readonly hparams: Readonly<Record<string, unknown>>;
}

/** Installs TensorBoard once a user. Returns why it could not. */
async function install(): Promise<string | undefined> {
  if (existsSync(PYTHON) && existsSync(STAMP) && readFileSync(STAMP, 'utf8') === PIN) return undefined;
  try {
    rmSync(HOME, { recursive: true, force: true });
    mkdirSync(HOME, { recursive: true });
    await run('python3', ['-m', 'venv', HOME], { timeout: INSTALL_DEADLINE_MS });
    const pip = ['-m', 'pip', 'install', '--no-input', '--disable-pip-version-check', '--only-binary=:all:', PIN];
    await run(PYTHON, pip, { timeout: INSTALL_DEADLINE_MS });
    writeFileSync(STAMP, PIN);
    return undefined;
  } catch (error) {
    return `TensorBoard cannot be installed here: ${error instanceof Error ? error.message.split('\n')[0] : error}`;
  }
}

const root = folderOfFile('tensorboard');

const OPTIONS = ['--scenario', 'dae', '--quick', '--hidden', '64', '--validation', '500', '--validate-every', '50'];

it("TensorBoard finds every step's values, the confidences and the digits, also of a run that was interrupted", {
  timeout: 2 * INSTALL_DEADLINE_MS + 120_000,
}, async ({ skip }) => {
  const reason = await install();
  if (reason !== undefined) return skip(reason);
  const out = join(root, 'run');
  const steps = ['--checkpoint-every', '100', '--checkpoint-seconds', '0', '--stall-worker', '340'];
  const { child, says, ended } = start(['train', ...OPTIONS, ...steps, '--out', out]);
  await says('pretrain: 333 steps');
  interrupt(child);
  expect((await ended).exit).toBe(130);
  expect((await pseudolabel('train', '--resume', out)).exit).toBe(0);
  expect((await readdir(out)).filter((name) => name.startsWith('events.out.tfevents.')).length).toBeGreaterThanOrEqual(
    1,
  );

  const { stdout } = await run(PYTHON, ['-c', READ, out], { timeout: 120_000, maxBuffer: 2 ** 26 });
  const { scalars, histograms, images, hparams } = JSON.parse(stdout) as Found;
  const lines = (await readFile(join(out, 'metrics.jsonl'), 'utf8')).trimEnd().split('\n');
  const metrics = lines.map((line) => JSON.parse(line));
  const of = (stage: string, kind: string, field: string, first: number) =>
    metrics
      .filter((metric) => metric.stage === stage && metric.kind === kind)
      .map((metric) => [first + metric.step, Math.fround(metric[field])]);
  expect(scalars['pretrain/loss/reconstruction']).toEqual(of('pretrain', 'step', 'unlabelledLoss', 0));
  expect(scalars['finetune/loss/labelled']).toEqual(of('finetune', 'step', 'labelledLoss', 333));
  expect(scalars['finetune/alpha']).toEqual(of('finetune', 'step', 'alpha', 333));
  expect(scalars['finetune/pseudo_labels/flips']).toEqual(of('finetune', 'labels', 'flips', 333));

  expect(hparams['_hparams_/session_start_info']).toMatchObject({
    hidden: 64,
    'finetune.rate.initial': 0.001,
    scenario: 'dae',
  });
  expect(hparams['_hparams_/session_end_info']).toBe(1);
  const result = JSON.parse(await readFile(join(out, 'result.json'), 'utf8')) as { testAccuracy: number };
  expect(scalars['final/test_accuracy']).toEqual([[expect.any(Number), Math.fround(result.testAccuracy)]]);

  const last = metrics.findLast((metric) => metric.kind === 'labels');
  const histogram = histograms['finetune/pseudo_labels/confidence']!;
  expect(histogram.counts).toEqual(last.confidences);
  expect(histogram.limits.at(-1)).toBe(1);
  expect(histogram.num).toBe(1000);
  expect(images['pretrain/original_noisy_reconstructed']).toEqual({ width: 280, height: 84, png: '89504e470d0a1a0a' });
});
