// Tests the manifests of docs/cluster/kubernetes as Kubernetes reads them.
import { spawnSync } from 'node:child_process';
import { cpSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { ERROR_CODES } from '../../src/errors.js';
import { folderOfFile } from '../folders.js';
import { exists, FOLDER, type Manifest, manifests, manifestsIn, ofKind, PODS, podOf } from './cluster-folder.js';

const scratch = folderOfFile('kubernetes');

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
      fsGroup: expect.any(Number), // With this group the secret can be read.
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
    expect(coordinator.restartPolicy).toBe('Never'); // podFailurePolicy requires this.
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
