import { describe, expect, it } from 'vitest';
import { mpirunCommand } from '../../../coordinator/scaling/mpirun.js';

const user = { env: { TF_CPP_MIN_LOG_LEVEL: '3', MALLOC_TOP_PAD_: '1', HOME: '/home/a' }, isRoot: false };

describe('the command line of a job', () => {
  it('starts so many ranks here, more than there are cores if need be, none held to a core', () => {
    const [program, ...args] = mpirunCommand(3, undefined, ['node', 'rank.js', '2'], user);
    const line = args.join(' ');
    expect(program).toBe('mpirun');
    expect(line).toMatch(/-np 3 --bind-to none --oversubscribe .*node rank\.js 2$/);
    expect(line).not.toContain('root');
  });

  it('passes on what processes read when they start, and nothing else', () => {
    const line = mpirunCommand(2, undefined, ['node', 'rank.js'], user).join(' ');
    expect(line).toContain('-x TF_CPP_MIN_LOG_LEVEL -x MALLOC_TOP_PAD_ node');
    expect(line).not.toContain('HOME');
  });

  it('gives each machine of a hostfile a rank in turn', () => {
    const line = mpirunCommand(2, 'hosts', ['node', 'rank.js'], user).join(' ');
    expect(line).toContain('--hostfile hosts --map-by node');
    expect(line).not.toContain('--oversubscribe');
  });

  it('tells mpirun where root means it', () => {
    expect(mpirunCommand(2, undefined, ['node'], { ...user, isRoot: true })).toContain('--allow-run-as-root');
  });
});
