// Owns what a report says of the machine and the versions: nothing that names the machine or its user.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { nativeBinding } from '../../src/engine/tensorflow.js';
import { built } from '../../src/files/read.js';

export interface Machine {
  readonly pseudolabel: string;
  readonly node: string;
  readonly tfjsNode: string;
  readonly tensorflow: string;
  /** As 'linux-x64'. */
  readonly platform: string;
  readonly processor: string;
  /** Fingerprint of what it computes: runs on two machines have the same bits where it is the same. */
  readonly numerics: string;
  readonly cores: number;
  readonly memoryBytes: number;
  /** When the run ended, ISO 8601. */
  readonly ended: string;
}

export function machine(numerics: string): Machine {
  return {
    pseudolabel: versionIn(built('../package.json')),
    node: process.versions.node,
    tfjsNode: versionIn(createRequire(import.meta.url).resolve('@tensorflow/tfjs-node/package.json')),
    tensorflow: nativeBinding().TF_Version ?? 'unknown',
    platform: `${process.platform}-${process.arch}`,
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    numerics,
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    ended: new Date().toISOString(),
  };
}

const versionIn = (path: string | URL): string =>
  (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
