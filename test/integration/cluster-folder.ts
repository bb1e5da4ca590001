// Reads the files of docs/cluster/: units of systemd by sections, and manifests of Kubernetes as objects.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { parseAllDocuments } from 'yaml';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const FOLDER = join(ROOT, 'docs', 'cluster');
export const read = (...path: string[]): string => readFileSync(join(...path), 'utf8');
export const exists = (program: string): boolean => spawnSync(program, ['--help']).error === undefined;

/** Reads the sections of a unit: each key with its values, in order. Throws for a line that a unit must not have. */
export function unit(name: string): Record<string, Record<string, string[]>> {
  const sections: Record<string, Record<string, string[]>> = {};
  let section: Record<string, string[]> = {};
  for (const line of read(FOLDER, name)
    .replace(/\\\n\s*/g, '')
    .split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const [, title] = /^\[(\w+)\]$/.exec(line) ?? [];
    const [, key, value] = /^(\w+)=(.*)$/.exec(line) ?? [];
    if (title === undefined && key === undefined) throw new Error(`${name}: ${line}`);
    if (title !== undefined) {
      section = {};
      sections[title] = section;
    } else section[key!] = [...(section[key!] ?? []), value!];
  }
  return sections;
}

export const UNITS = ['pseudolabel-coordinator.service', 'pseudolabel-worker.service'];

interface Container {
  readonly name: string;
  readonly image: string;
  readonly command: string[];
  readonly args: string[];
  readonly env: { name: string; valueFrom?: { resourceFieldRef?: { containerName: string; resource: string } } }[];
  readonly ports?: { name: string; containerPort: number }[];
  readonly resources: { requests: Record<string, string>; limits: Record<string, string> };
  readonly securityContext: object;
  readonly volumeMounts: { name: string; mountPath: string }[];
}
interface Pod {
  readonly restartPolicy?: string;
  readonly terminationGracePeriodSeconds: number;
  readonly securityContext: object;
  readonly containers: [Container];
  readonly volumes: { name: string; secret?: object; persistentVolumeClaim?: { claimName: string } }[];
}
export interface Manifest {
  readonly kind: string;
  readonly metadata: { name: string };
  readonly spec: {
    readonly template: { metadata: { labels: Record<string, string> }; spec: Pod };
    readonly selector: Record<string, string> & { matchLabels: Record<string, string> };
    readonly ports: { port: number; targetPort: string }[];
    readonly podFailurePolicy: { rules: { onExitCodes?: { containerName: string; values: number[] } }[] };
  };
}

/** Reads manifests by YAML 1.1, as Kubernetes does. */
export function manifestsIn(name: string): unknown[] {
  return parseAllDocuments(read(FOLDER, 'kubernetes', name), { version: '1.1' }).map((document) => {
    expect(document.errors.concat(document.warnings)).toEqual([]);
    return document.toJS();
  });
}
export const manifests = ['coordinator.yaml', 'workers.yaml'].flatMap(manifestsIn) as Manifest[];
export const ofKind = (kind: string): Manifest => manifests.find((manifest) => manifest.kind === kind)!;
export const PODS = ['Job', 'Deployment'];
export const podOf = (kind: string): Pod => ofKind(kind).spec.template.spec;
