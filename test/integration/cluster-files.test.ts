// The files of docs/cluster/ as those who use them read them: systemd, Slurm, Kubernetes, and our own command line.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { ERROR_CODES } from '../../src/errors.js';
import { parseAddress } from '../../worker/address.js';
import { argumentsOf, type CommandLine, codeOn, commandLinesIn, parsed, wordsOf } from '../command-lines.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FOLDER = join(ROOT, 'docs', 'cluster');
const read = (...path: string[]): string => readFileSync(join(...path), 'utf8');
const exists = (program: string): boolean => spawnSync(program, ['--help']).error === undefined;

const scratch = mkdtempSync(join(tmpdir(), 'cluster-files-'));
afterAll(() => rmSync(scratch, { recursive: true }));

/** Sections of a unit: each key with its values, in order. Throws for a line that is none of what a unit has. */
function unit(name: string): Record<string, Record<string, string[]>> {
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

const UNITS = ['pseudolabel-coordinator.service', 'pseudolabel-worker.service'];

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
interface Manifest {
  readonly kind: string;
  readonly metadata: { name: string };
  readonly spec: {
    readonly template: { metadata: { labels: Record<string, string> }; spec: Pod };
    readonly selector: Record<string, string> & { matchLabels: Record<string, string> };
    readonly ports: { port: number; targetPort: string }[];
    readonly podFailurePolicy: { rules: { onExitCodes?: { containerName: string; values: number[] } }[] };
  };
}

/** By YAML 1.1, as Kubernetes reads it. */
function manifestsIn(name: string): unknown[] {
  return parseAllDocuments(read(FOLDER, 'kubernetes', name), { version: '1.1' }).map((document) => {
    expect(document.errors.concat(document.warnings)).toEqual([]);
    return document.toJS();
  });
}
const manifests = ['coordinator.yaml', 'workers.yaml'].flatMap(manifestsIn) as Manifest[];
const ofKind = (kind: string): Manifest => manifests.find((manifest) => manifest.kind === kind)!;
const PODS = ['Job', 'Deployment'];
const podOf = (kind: string): Pod => ofKind(kind).spec.template.spec;

/** Each with where it was found. */
function commandLines(): [string, CommandLine][] {
  const texts = {
    'README.md': codeOn(read(ROOT, 'README.md')),
    'cluster.md': codeOn(read(ROOT, 'docs/cluster.md')),
    'mpi.md': codeOn(read(ROOT, 'docs/mpi.md')),
    'coordinator.sh': read(FOLDER, 'coordinator.sh'),
    'pseudolabel.sbatch': read(FOLDER, 'pseudolabel.sbatch'),
  };
  return [
    ...Object.entries(texts).flatMap(([place, text]) =>
      commandLinesIn(text).map((line) => [place, line] as [string, CommandLine]),
    ),
    ...UNITS.map((name) => [name, argumentsOf(wordsOf(unit(name).Service!.ExecStart![0]!))] as [string, CommandLine]),
    ...PODS.map((kind) => {
      const { command, args } = podOf(kind).containers[0];
      return [kind, argumentsOf([...command, ...args].flatMap(wordsOf))] as [string, CommandLine];
    }),
  ];
}

describe('a command line that people copy', () => {
  const all = commandLines();

  it('is found wherever one is', () => {
    const places = new Map<string, string[]>();
    for (const [place, [command]] of all) places.set(place, [...(places.get(place) ?? []), command!]);
    expect(Object.fromEntries(places)).toEqual({
      'README.md': expect.arrayContaining(['train', 'worker', 'status', 'evaluate', 'label', 'scaling', 'doctor']),
      'cluster.md': expect.arrayContaining(['train', 'worker', 'status', 'doctor']),
      'mpi.md': expect.arrayContaining(['train', 'doctor']),
      'coordinator.sh': ['train'],
      'pseudolabel.sbatch': ['train', 'worker'],
      'pseudolabel-coordinator.service': ['train'],
      'pseudolabel-worker.service': ['worker'],
      Job: ['train'],
      Deployment: ['worker'],
    });
  });

  it.each(all)('in %s is one that the program takes: %j', async (_, line) => {
    const { name, args, options } = await parsed(line);
    expect(name).toBe(line[0]);
    const addresses = [...(name === 'worker' || name === 'status' ? args : []), options.listen];
    for (const address of addresses) if (address !== undefined) parseAddress(address as string);
    for (const name of ['workers', 'shards', 'nodes', 'patience'])
      if (typeof options[name] === 'number') expect(options[name], name).toSatisfy(Number.isInteger);
  });

  it('with an option that there is not would be noticed', async () => {
    await expect(parsed(['worker', 'host:1', '--token-file', 'token', '--threads', '2'])).rejects.toThrow('--threads');
    await expect(parsed(['worker', 'host:1'])).rejects.toThrow('--token-file');
    await expect(parsed(['train', '--scenario', 'pla'])).rejects.toThrow('--scenario');
  });
});

describe.each(UNITS)('%s', (name) => {
  const { Service: service = {} } = unit(name);

  it('gets the token as a credential, and is nobody in particular', () => {
    expect(service).toMatchObject({
      DynamicUser: ['yes'],
      LoadCredential: ['token:/etc/pseudolabel/token'],
      ExecStart: [expect.stringMatching(/ --token-file \$\{CREDENTIALS_DIRECTORY\}\/token\b/)],
    });
    expect(service).not.toHaveProperty('MemoryDenyWriteExecute');
  });

  it('is started again after a failure, where that may help', () => {
    const { E_USAGE, E_TOKEN, E_INTERRUPTED } = ERROR_CODES;
    expect(service.Restart).toEqual(['on-failure']);
    expect(service.RestartPreventExitStatus).toEqual([`${E_USAGE.exit}`]);
    expect(E_TOKEN.exit).toBe(E_USAGE.exit);
    if (name.includes('coordinator')) expect(service.SuccessExitStatus).toEqual([`${E_INTERRUPTED.exit}`]);
    expect(Number(service.TimeoutStopSec)).toBeGreaterThan(60); // a node may have to wait so long for its last request
  });

  it.skipIf(!exists('systemd-analyze'))('is taken by systemd itself', () => {
    const command = service.ExecStart![0]!.split(' ')[0]!;
    const script = join(command.endsWith('.sh') ? FOLDER : join(ROOT, 'scripts'), basename(command));
    const program = existsSync(script) ? script : `${script}.mjs`;
    expect(statSync(program).mode & 0o111).toBe(0o111);
    const copy = join(scratch, name);
    writeFileSync(copy, read(FOLDER, name).replace(command, program));
    const complaints = () =>
      spawnSync('systemd-analyze', ['verify', copy], { encoding: 'utf8' })
        .stderr.split('\n')
        .filter((line) => line.includes(name)); // units of this machine that it looks at as well are not ours
    expect(complaints()).toEqual([]);
    writeFileSync(copy, read(FOLDER, name).replace(command, '/not/there'));
    expect(complaints()).toEqual([expect.stringContaining('/not/there')]);
  });
});

describe('the Slurm script', () => {
  const text = read(FOLDER, 'pseudolabel.sbatch');

  it('is bash, and so is the other one a shell script', () => {
    for (const [shell, name] of [
      ['bash', 'pseudolabel.sbatch'],
      ['sh', 'coordinator.sh'],
    ] as const)
      expect(spawnSync(shell, ['-n', join(FOLDER, name)], { encoding: 'utf8' })).toMatchObject({
        status: 0,
        stderr: '',
      });
  });

  it('asks for one task on each of several machines, and for a signal before its time is up', () => {
    const lines = text.split('\n');
    const directives = lines.filter((line) => line.startsWith('#SBATCH'));
    // sbatch stops reading them at the first command.
    const firstCommand = lines.findIndex((line) => line !== '' && !line.startsWith('#'));
    expect(lines.findLastIndex((line) => line.startsWith('#SBATCH'))).toBeLessThan(firstCommand);
    const options = directives.map((line) => /^#SBATCH --([a-z-]+)=(\S+)$/.exec(line)!.slice(1) as [string, string]);
    expect(Object.fromEntries(options)).toMatchObject({
      'ntasks-per-node': '1',
      nodes: expect.stringMatching(/^[2-9]$/),
      'cpus-per-task': expect.stringMatching(/^\d+$/),
      signal: expect.stringMatching(/^TERM@(9\d|\d{3})$/),
    });
  });
});

describe('the Kubernetes manifests', () => {
  const kustomization = manifestsIn('kustomization.yaml')[0] as {
    resources: string[];
    images: { name: string }[];
    secretGenerator: { name: string; files: string[] }[];
    generatorOptions: { disableNameSuffixHash: boolean };
  };

  it('are all there is, and name an image that is replaced', () => {
    const others = readdirSync(join(FOLDER, 'kubernetes')).filter((name) => name.endsWith('.yaml'));
    expect(kustomization.resources.concat('kustomization.yaml').sort()).toEqual(others.sort());
    for (const kind of PODS) expect(podOf(kind).containers[0].image).toBe(kustomization.images[0]!.name);
  });

  it.each(PODS)('run a %s as nobody in particular, without privileges, on a disk that it cannot write', (kind) => {
    const { securityContext, containers } = podOf(kind);
    expect(securityContext).toMatchObject({
      runAsNonRoot: true,
      fsGroup: expect.any(Number), // by which the secret can be read
      seccompProfile: { type: 'RuntimeDefault' },
    });
    expect(containers[0].securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
  });

  it.each(PODS)('give a %s the token for its eyes only, what it mounts, and as many workers as processors', (kind) => {
    const { volumes, containers, terminationGracePeriodSeconds } = podOf(kind);
    const [{ name, args, env, resources, volumeMounts }] = containers;
    expect(volumeMounts.map((mount) => mount.name).sort()).toEqual(volumes.map((volume) => volume.name).sort());
    const [{ name: secretName, files } = { name: '', files: [''] }] = kustomization.secretGenerator;
    expect(kustomization.generatorOptions.disableNameSuffixHash).toBe(true);
    expect(volumes).toContainEqual({ name: 'token', secret: { secretName, defaultMode: 0o400 } });
    const { mountPath } = volumeMounts.find((mount) => mount.name === 'token')!;
    expect(args).toContain(`--token-file=${mountPath}/${files[0]}`);
    expect(args).toContain('--workers=$(CPUS)');
    expect(env.find((variable) => variable.name === 'CPUS')?.valueFrom?.resourceFieldRef).toMatchObject({
      containerName: name,
      resource: 'requests.cpu',
    });
    expect(resources.requests).toMatchObject({ cpu: expect.stringMatching(/^\d+$/), memory: resources.limits.memory });
    expect(terminationGracePeriodSeconds).toBeGreaterThan(60);
  });

  it('lead workers to the coordinator, and the coordinator to its run', () => {
    const [service, job] = [ofKind('Service'), ofKind('Job')];
    const { labels } = job.spec.template.metadata;
    expect(labels).toMatchObject(service.spec.selector);
    const [{ port, targetPort }] = service.spec.ports as [{ port: number; targetPort: string }];
    const coordinator = podOf('Job');
    const [{ ports, args, command, volumeMounts, name }] = coordinator.containers;
    expect(ports).toContainEqual({ name: targetPort, containerPort: port });
    expect(args).toContain(`--listen=0.0.0.0:${port}`);
    expect(podOf('Deployment').containers[0].command.at(-1)).toBe(`${service.metadata.name}:${port}`);
    expect(command[1]!.startsWith(`${volumeMounts.find((mount) => mount.name === 'runs')!.mountPath}/`)).toBe(true);
    expect(coordinator.volumes).toContainEqual({
      name: 'runs',
      persistentVolumeClaim: { claimName: ofKind('PersistentVolumeClaim').metadata.name },
    });
    expect(coordinator.restartPolicy).toBe('Never'); // podFailurePolicy asks for it
    const rules = job.spec.podFailurePolicy.rules.flatMap(({ onExitCodes }) => onExitCodes ?? []);
    expect(rules).toMatchObject([{ containerName: name, values: [ERROR_CODES.E_USAGE.exit] }]);
    const { selector, template } = ofKind('Deployment').spec;
    expect(template.metadata.labels).toEqual(selector.matchLabels);
  });

  it.skipIf(!exists('kubectl'))('are put together by kubectl, with the secret', () => {
    const copy = join(scratch, 'kubernetes');
    cpSync(join(FOLDER, 'kubernetes'), copy, { recursive: true });
    writeFileSync(join(copy, 'token'), 'ab'.repeat(32));
    const { status, stdout, stderr } = spawnSync('kubectl', ['kustomize', copy], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const made = parseAllDocuments(stdout).map((document) => (document.toJS() as Manifest).kind);
    expect(made.sort()).toEqual([...manifests.map(({ kind }) => kind), 'Secret'].sort());
    expect(stdout).not.toMatch(/image: pseudolabel$/m);
  });
});
