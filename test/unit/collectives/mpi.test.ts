// Tests the errors if Open MPI cannot be called.
import { afterEach, describe, expect, it, vi } from 'vitest';
import { loadLibrary, openMpi } from '../../../src/collectives/mpi.js';

const signal = new AbortController().signal;

describe('MPI', () => {
  afterEach(() => vi.doUnmock('koffi'));

  it('is not there without its library', async () => {
    await expect(loadLibrary(['libnowhere.so.40', 'libnowhere.so'])).rejects.toMatchObject({
      code: 'E_MPI',
      message: expect.stringMatching(/libnowhere\.so\.40.*; .*libnowhere\.so/s),
      fix: expect.stringContaining('openmpi-bin'),
    });
  });

  it.skipIf(process.platform !== 'linux')('is not taken from another library', async () => {
    await expect(loadLibrary(['libm.so.6'])).rejects.toMatchObject({
      code: 'E_MPI',
      message: 'libm.so.6 is not the library of Open MPI',
      fix: expect.stringContaining('MPICH'),
    });
  });

  it('is not there without koffi, which need not be installed', async () => {
    vi.doMock('koffi', () => {
      throw new Error('Cannot find package');
    });
    await expect(loadLibrary()).rejects.toMatchObject({
      code: 'E_MPI',
      fix: expect.stringContaining('npm install koffi'),
    });
  });

  it('is begun by mpirun only', async () => {
    await expect(openMpi({}, signal)).rejects.toMatchObject({
      code: 'E_USAGE',
      fix: expect.stringContaining('mpirun -np 2'),
    });
  });
});
