// Provides a Python with Keras and ONNX Runtime for tests. It is installed once for each user. If that fails, tests say
// why and skip.
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** JAX is the smallest backend of Keras that has convolutions. */
const PINS = ['keras==3.15.1', 'jax==0.10.2', 'onnxruntime==1.32.0'];
const HOME = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'pseudolabel', 'test-keras');
const PYTHON = join(HOME, 'bin', 'python');
const STAMP = join(HOME, 'stamp');
const LOCK = `${HOME}.lock`;
const INSTALL_DEADLINE_MS = 420_000;

const isThere = (): boolean => existsSync(PYTHON) && existsSync(STAMP) && readFileSync(STAMP, 'utf8') === String(PINS);

/** Returns why it could not be installed, or undefined if it is there. */
export async function installKeras(): Promise<string | undefined> {
  const deadline = performance.now() + INSTALL_DEADLINE_MS;
  while (!isThere()) {
    if (performance.now() > deadline) return `another test installs Keras, or has left ${LOCK}`;
    mkdirSync(join(HOME, '..'), { recursive: true });
    try {
      mkdirSync(LOCK);
    } catch {
      await setTimeout(500); // Another test file is installing it.
      continue;
    }
    try {
      rmSync(HOME, { recursive: true, force: true });
      await run('python3', ['-m', 'venv', HOME], { timeout: INSTALL_DEADLINE_MS });
      const pip = ['-m', 'pip', 'install', '--no-input', '--disable-pip-version-check', '--only-binary=:all:', ...PINS];
      await run(PYTHON, pip, { timeout: INSTALL_DEADLINE_MS });
      writeFileSync(STAMP, String(PINS));
    } catch (error) {
      return `Keras cannot be installed here: ${error instanceof Error ? error.message.split('\n')[0] : error}`;
    } finally {
      rmSync(LOCK, { recursive: true });
    }
  }
  return undefined;
}

/** Runs a script, and returns what it prints as JSON. */
export async function python<T>(script: string, ...args: readonly string[]): Promise<T> {
  const env = { ...process.env, KERAS_BACKEND: 'jax', JAX_PLATFORMS: 'cpu' };
  const { stdout } = await run(PYTHON, ['-c', script, ...args], { env, maxBuffer: 2 ** 28 });
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as T;
}
