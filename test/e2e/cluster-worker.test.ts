// Tests `pseudolabel worker` when it gets no work: what it prints, its exit code, and that the coordinator is not
// disturbed.
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { operatorOfFile, SMALL } from './cluster.js';
import { expectError } from './command.js';

const NOBODY = { address: 'ws://127.0.0.1:9' };

const operator = operatorOfFile();

const newToken = (): string => randomBytes(32).toString('hex');

describe('a worker', () => {
  it('that is not let in says why, and the coordinator waits on for others until Ctrl-C', async () => {
    const coordinator = await operator.coordinator('picky', [...SMALL, '--nodes', '2'], '127.0.0.1:0');
    const { address } = coordinator;
    const fingerprint = coordinator.joinWith.at(-1)!;
    expect(address).toMatch(/^wss:/);
    const otherToken = operator.out('other-token');
    await writeFile(otherToken, newToken(), { mode: 0o600 });
    const worker = (tokenFile: string, pin: string) =>
      operator.start(['worker', address, '--token-file', tokenFile, '--fingerprint', pin, '--workers', '1']);
    const { tokenFile } = operator;
    const welcome = worker(tokenFile, fingerprint);
    await coordinator.says('joined with 1 worker');
    expectError(await worker(otherToken, fingerprint).ended, 'E_TOKEN', 2);
    expectError(
      await worker(
        tokenFile,
        fingerprint.replace(/.$/, (last) => (last === '0' ? '1' : '0')),
      ).ended,
      'E_FINGERPRINT',
      2,
    );
    coordinator.child.kill('SIGINT');
    expectError(await coordinator.ended, 'E_INTERRUPTED', 130);
    expect(await welcome.ended).toMatchObject({ exit: 0, stderr: expect.stringContaining('the run is over') });
  });

  it('whose coordinator is gone for good says so when its patience ends', async () => {
    const coordinator = await operator.coordinator('gone', [...SMALL, '--nodes', '2']);
    const worker = operator.worker(coordinator, 'patient', '--patience', '1');
    await coordinator.says('patient joined');
    coordinator.child.kill('SIGKILL');
    const ended = await worker.ended;
    expectError(ended, 'E_UNREACHABLE', 1);
    expect(ended.stderr).toContain('joining again');
  });

  it('that is stopped while it tries to connect leaves as one that has joined', async () => {
    await writeFile(operator.tokenFile, newToken(), { mode: 0o600 });
    const worker = operator.worker(NOBODY, 'lonely');
    await worker.says('trying again');
    worker.child.kill('SIGINT');
    expect(await worker.ended).toMatchObject({ exit: 0, stderr: expect.stringContaining('left the run') });
  });

  it('ends with its launcher, even where that is killed', async () => {
    const coordinator = await operator.coordinator('launching', [...SMALL, '--nodes', '2']);
    const flags = ['--token-file', operator.tokenFile, '--workers', '1', '--name', 'launched'];
    // If the environment is incomplete, the launcher starts a process of its own.
    const launcher = operator.start(['worker', coordinator.address, ...flags], { TF_CPP_MIN_LOG_LEVEL: undefined });
    await coordinator.says('launched joined');
    launcher.child.kill('SIGKILL');
    await coordinator.says('launched has left');
    await launcher.ended;
  });

  it('is refused for a patience that is none', async () => {
    const worker = operator.worker(NOBODY, 'hasty', '--patience', '-1');
    expectError(await worker.ended, 'E_USAGE', 2);
  });
});
