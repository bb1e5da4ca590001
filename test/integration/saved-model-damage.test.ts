// Tests that a saved model is refused with E_MODEL and a reason if it is damaged, is not a model, or is of a kind that
// cannot be used.
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { PseudolabelError } from '../../src/errors.js';
import { loadModel, saveModel } from '../../src/models/saved-model.js';
import { failureOf } from '../failure.js';
import { folderOfTest } from '../folders.js';
import { edit, made, meta } from './models.js';

let folder: string;
beforeEach(() => {
  folder = folderOfTest('model');
});

async function messageOf(loading: Promise<unknown>): Promise<string> {
  const { code, message } = await failureOf(loading, folder);
  expect(code).toBe('E_MODEL');
  return message;
}

describe('loadModel', () => {
  it('says what of a model it cannot use', async () => {
    const { model, parameters } = made('softmax', [12, 7, 3]);
    const cases: [from: string, to: string, reason: string][] = [
      ['"Sequential"', '"Graph"', 'only a Sequential or a functional model can be trained'],
      ['"Dropout"', '"LSTM"', 'layers of the class LSTM cannot be trained here'],
      ['"Dropout"', '"Conv2D"', 'TensorFlow.js cannot build it'],
      ['"activation":"softmax"', '"activation":"relu"', 'it ends in relu, where softmax, sigmoid or none is needed'],
      ['"activation":"softmax"', '"activation":"sigmoid"', 'it ends in sigmoid where softmax is declared'],
      ['"weights.bin"', '"../weights.bin"', 'must be the name of a file in the same folder'],
      ['"dense_1/kernel"', '"other/kernel"', 'it has no weight dense_1/kernel'],
      ['"units":7', '"units":8', 'weight dense_1/kernel is 12 x 7 where 12 x 8 is needed'],
      ['[12,7],"dtype":"float32"', '[12,7],"dtype":"int32"', 'dtype'],
      ['[12,7],', '[12,7],"quantization":{},', 'quantized weights cannot be used'],
      ['"rows":3', '"rows":5', 'it has 12 inputs and 3 outputs where 5 x 4 pixels and 3 classes are declared'],
      ['"weightsSha256":"', '"weightsSha256":"0', 'its weights do not match their checksum'],
      ['{', '', 'JSON'],
    ];
    for (const [from, to, reason] of cases) {
      await saveModel(folder, model, parameters, meta);
      await edit(folder, (json) => JSON.stringify(JSON.parse(json)).replace(from, to));
      const message = await messageOf(loadModel(folder));
      expect(message).toContain(join(folder, 'model.json'));
      expect(message).toContain(reason);
    }
  });

  it('refuses weights that are missing, cut, too long, damaged, or not finite', async () => {
    const { model, parameters } = made('softmax', [12, 7, 3]);
    await saveModel(folder, model, parameters, meta);
    const path = join(folder, 'weights.bin');
    const intact = await readFile(path);
    const after = async (bytes: Uint8Array) => {
      await writeFile(path, bytes);
      return messageOf(loadModel(folder));
    };
    expect(await after(intact.subarray(1))).toContain(`1 bytes are missing of ${intact.length}`);
    expect(await after(Buffer.concat([intact, Buffer.alloc(4)]))).toContain(`has ${intact.length + 4} bytes`);
    const changed = Buffer.from(intact);
    changed[100]! ^= 1;
    expect(await after(changed)).toContain('checksum');
    changed.writeFloatLE(Number.NaN, 100);
    expect(await after(changed)).toContain('not finite');
    await rm(path);
    expect(await messageOf(loadModel(folder))).toContain(path);
  });

  it('refuses a folder that is not there, or has no model', async () => {
    expect(await messageOf(loadModel(folder))).toContain('ENOENT');
    expect(await messageOf(loadModel(join(folder, 'absent')))).toContain('ENOENT');
  });

  it('gives the model or E_MODEL when any value of its model.json is another', async () => {
    const { model, parameters } = made('softmax', [12, 7, 3]);
    await saveModel(folder, model, parameters, meta);
    const intact = await readFile(join(folder, 'model.json'), 'utf8');
    let count = 0;
    JSON.parse(intact, (_, value: unknown) => {
      count += 1;
      return value;
    });
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: count - 1 }), fc.jsonValue(), async (position, replacement) => {
        let at = 0;
        const changed: unknown = JSON.parse(intact, (_, value: unknown) => (at++ === position ? replacement : value));
        await writeFile(join(folder, 'model.json'), JSON.stringify(changed));
        const outcome: unknown = await loadModel(folder).catch((error: unknown) => error);
        if (outcome instanceof PseudolabelError) expect(outcome.code).toBe('E_MODEL');
        else expect(outcome).toMatchObject({ parameters });
      }),
      { numRuns: 300 },
    );
  });
});
