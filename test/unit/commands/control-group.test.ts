// Tests how much memory a control group leaves, with the files of both versions.
import { describe, expect, it } from 'vitest';
import { controlGroup } from '../../../coordinator/commands/control-group.js';
import { memory } from '../../../coordinator/commands/doctor.js';

const GIBIBYTE = 2 ** 30;
const group = (files: Readonly<Record<string, string>>) =>
  controlGroup(16 * GIBIBYTE, (path) => {
    const text = files[path];
    if (text === undefined) throw new Error(`ENOENT ${path}`);
    return text;
  });

describe('a control group of memory (case 12)', () => {
  it('of version 2 has the least limit of those that it is in, and says how many were killed', () => {
    expect(
      group({
        '/proc/self/cgroup': '0::/slice/service\n',
        '/sys/fs/cgroup/slice/service/memory.max': 'max\n',
        '/sys/fs/cgroup/slice/service/memory.events': 'low 0\nhigh 0\nmax 9\noom 3\noom_kill 2\noom_group_kill 0\n',
        '/sys/fs/cgroup/slice/memory.max': `${2 * GIBIBYTE}\n`,
      }),
    ).toEqual({ limitBytes: 2 * GIBIBYTE, kills: 2 });
  });

  it('of version 1 has a limit by another name, and one that is larger than the machine is none', () => {
    const at = (bytes: string) =>
      group({
        '/proc/self/cgroup': '9:cpu,cpuacct:/x\n4:memory:/batch/job\n0::/\n',
        '/sys/fs/cgroup/memory/batch/job/memory.limit_in_bytes': `${bytes}\n`,
        '/sys/fs/cgroup/memory/batch/job/memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 1\n',
        '/sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
      });
    expect(at(`${GIBIBYTE}`)).toEqual({ limitBytes: GIBIBYTE, kills: 1 });
    expect(at('9223372036854771712')).toEqual({ limitBytes: undefined, kills: 1 });
  });

  it('is found in a container that sees the path of outside, and is none on other systems', () => {
    const inside = { '/proc/self/cgroup': '0::/docker/0123\n', '/sys/fs/cgroup/memory.max': `${GIBIBYTE}\n` };
    expect(group(inside)).toEqual({ limitBytes: GIBIBYTE, kills: 0 });
    expect(group({})).toEqual({ limitBytes: undefined, kills: 0 });
  });
});

describe('the doctor (case 12)', () => {
  it('warns where a run with the defaults would not fit in the control group', () => {
    const free = { freeBytes: 8 * GIBIBYTE, totalBytes: 16 * GIBIBYTE };
    expect(memory({ ...free, limitBytes: undefined })).toMatchObject({ state: 'ok' });
    expect(memory({ ...free, limitBytes: 4 * GIBIBYTE })).toMatchObject({ state: 'ok' });
    expect(memory({ ...free, limitBytes: GIBIBYTE / 2 })).toMatchObject({
      state: 'note',
      found: expect.stringContaining('0.5 GiB'),
      fix: expect.stringContaining('control group'),
    });
    expect(memory({ ...free, freeBytes: GIBIBYTE / 2, limitBytes: undefined })).toMatchObject({ state: 'note' });
  });
});
