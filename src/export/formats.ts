// The formats that a saved model can be exported to. A new format is one file beside this one and one row here.
import { PseudolabelError } from '../errors.js';
import type { Data } from '../files/write.js';
import type { SavedModel } from '../models/saved-model.js';
import { kerasFile } from './keras.js';
import { onnxFile } from './onnx.js';
import { type PlainModel, plainModel } from './plain-model.js';
import { safetensorsOf } from './safetensors.js';

interface ExportFormat {
  /** The end of such files' names. */
  readonly extension: string;
  /** The name for people. */
  readonly what: string;
  bytes(model: PlainModel): Data | Promise<Data>;
}

export const EXPORT_FORMATS = {
  keras: { extension: '.keras', what: 'for Keras 3: keras.saving.load_model(path)', bytes: kerasFile },
  onnx: { extension: '.onnx', what: 'for ONNX Runtime and others (operator set 17)', bytes: onnxFile },
  safetensors: {
    extension: '.safetensors',
    what: 'weights alone, named and laid out as in Keras',
    bytes: safetensorsOf,
  },
} as const satisfies Readonly<Record<string, ExportFormat>>;
export type ExportFormatName = keyof typeof EXPORT_FORMATS;
export const EXPORT_FORMAT_NAMES = Object.keys(EXPORT_FORMATS) as ExportFormatName[];

/** Returns the format that the end of a path says. */
export const exportFormatOf = (path: string): ExportFormatName | undefined =>
  EXPORT_FORMAT_NAMES.find((name) => path.toLowerCase().endsWith(EXPORT_FORMATS[name].extension));

/** Returns the content of a file of a format. Throws E_MODEL for a model that the format cannot hold. */
export async function exported(saved: SavedModel, format: ExportFormatName): Promise<Data> {
  try {
    const { bytes }: ExportFormat = EXPORT_FORMATS[format];
    return await bytes(plainModel(saved));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const fix = `export it to another format: ${EXPORT_FORMAT_NAMES.filter((name) => name !== format).join(', ')}`;
    throw new PseudolabelError('E_MODEL', `the model cannot be exported: ${error.message}`, fix, { cause: error });
  }
}
