// Tests the command line that starts the ranks of a measured job.
import { describe, expect, it } from 'vitest';
import { type JobPlace, mpirunCommand } from '../../../coordinator/scaling/mpirun.js';

const place: JobPlace = {
  hostfile: undefined,
  folder: '/tmp/of-2',
  env: { TF_CPP_MIN_LOG_LEVEL: '3', MALLOC_TOP_PAD_: '1', HOME: '/home/a' },
  isRoot: false,
};
const RANK = { program: 'node', args: ['rank.js', '1'] };

const lineOf = (ranks: number, changes: Partial<JobPlace> = {}): string =>
  mpirunCommand(ranks, RANK, { ...place, ...changes }).args.join(' ');

describe('the command line of a job', () => {
  it('starts so many ranks here, more than there are cores if need be, none held to a core', () => {
    expect(mpirunCommand(3, RANK, place)).toMatchObject({ program: 'mpirun', env: { TMPDIR: '/tmp/of-2' } });
    expect(lineOf(3)).toMatch(/-np 3 --bind-to none --oversubscribe .*node rank\.js 1$/);
    expect(lineOf(3)).not.toContain('root');
  });

  it('passes on what processes read when they start, and nothing else', () => {
    expect(lineOf(2)).toContain('-x TF_CPP_MIN_LOG_LEVEL -x MALLOC_TOP_PAD_ node');
    expect(lineOf(2)).not.toContain('HOME');
  });

  it('gives each machine of a hostfile a rank in turn', () => {
    expect(lineOf(2, { hostfile: 'hosts' })).toContain('--hostfile hosts --map-by node');
    expect(lineOf(2, { hostfile: 'hosts' })).not.toContain('--oversubscribe');
  });

  it('tells mpirun where root means it', () => {
    expect(lineOf(2, { isRoot: true })).toContain('--allow-run-as-root');
  });
});
