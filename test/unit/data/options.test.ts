// Tests that options of data are checked wherever they come from: flags, config files and programs.
import { expect, it } from 'vitest';
import { loadDataset } from '../../../src/data/load.js';
import { sizeOf } from '../../../src/data/options.js';

it('a size is a height and a width from 1 to 9999, and anything else is refused before data is read', async () => {
  expect(sizeOf(undefined)).toBeUndefined();
  expect(sizeOf('1x9999')).toEqual({ height: 1, width: 9999 });
  for (const size of [
    '',
    '32',
    '0x0',
    '1x0',
    '-1x3',
    '3x3x3',
    '10000x1',
    '1.5x2',
    'axb',
    '5000x5000',
    ' 2x2',
    '2X2',
    '2x2\n',
  ]) {
    expect(() => sizeOf(size), size).toThrow(expect.objectContaining({ code: 'E_CONFIG' }));
    await expect(loadDataset({ size })).rejects.toMatchObject({ code: 'E_CONFIG' });
  }
});
