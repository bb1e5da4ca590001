// Tests which of the user's variables get into the environment of a run.
import { describe, expect, it } from 'vitest';
import { environment } from '../../coordinator/commands/doctor.js';
import { completed, ignored, isComplete } from '../../scripts/environment.mjs';

const MINE = {
  PATH: '/bin',
  NODE_OPTIONS: '--max-old-space-size=900',
  MALLOC_TOP_PAD_: '1',
  TF_CPP_MIN_LOG_LEVEL: '0',
};

describe('the environment of a run', () => {
  it.each([
    { TF_ENABLE_ONEDNN_OPTS: '0' },
    { DNNL_MAX_CPU_ISA: 'AVX2' },
    { ONEDNN_DEFAULT_FPMATH_MODE: 'BF16' },
    { TF_NUM_INTRAOP_THREADS: '4' },
    { XLA_FLAGS: '--xla_cpu_enable_fast_math=true', TF_XLA_FLAGS: '--tf_xla_auto_jit=2' },
    { OMP_NUM_THREADS: '3', KMP_BLOCKTIME: '0', MKL_CBWR: 'AVX2' },
    { TF_OF_A_LATER_VERSION: '1' },
  ])('has nothing of %j, which may change its bits, and says so (case 9)', (settings) => {
    const names = Object.keys(settings).sort();
    const env = { ...MINE, ...settings };
    expect(ignored(env)).toEqual(names);
    expect(isComplete(env)).toBe(false);
    const { PSEUDOLABEL_IGNORED, ...run } = completed(env);
    expect(run).toEqual(completed(MINE));
    expect(PSEUDOLABEL_IGNORED).toBe(names.join(' '));
    expect(environment({ PSEUDOLABEL_IGNORED })).toMatchObject({ found: expect.stringContaining(names[0]!) });
  });

  it('has whatever else the user has set, also what is logged, and what is of another program of that prefix', () => {
    const env = {
      ...MINE,
      ONEDNN_VERBOSE: '1',
      TF_CPP_MAX_VLOG_LEVEL: '2',
      TF_CLI_CONFIG_FILE: 'terraformrc',
      TF_VAR_x: '1',
    };
    expect(completed(env)).toMatchObject(env);
    expect(ignored(env)).toEqual([]);
  });

  it('is complete once, and stays as it is for processes below', () => {
    const run = completed({ ...MINE, DNNL_MAX_CPU_ISA: 'AVX2' });
    expect(isComplete(run)).toBe(true);
    expect(completed(completed(MINE))).toEqual(completed(MINE));
  });
});
