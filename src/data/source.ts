// What a data source is: something that finds images in the files of one format. A format is one file in sources/, and a row of
// the table in sources.ts. Nothing else knows formats.
import type { ImageStore } from './image-store.js';
import type { ListFolder } from './listing.js';

/** What is asked of a source besides its path. */
export interface SourceOptions {
  /** The folder, within a folder of images, whose images have no label. */
  readonly unlabelled: string;
  /** Follow links that lead out of the folder. */
  readonly followLinks: boolean;
  readonly list: ListFolder;
}

export interface DataSource {
  /** What --format calls it. */
  readonly name: string;
  /** What it reads, for --help: 'a folder of images'. */
  readonly reads: string;
  /** Whether a path looks like this format, by names and first bytes. path: exists. */
  recognises(path: string, list: ListFolder): Promise<boolean>;
  /** Reads everything but encoded pictures. Throws PseudolabelError E_DATA_*. */
  open(path: string, options: SourceOptions): Promise<Collection>;
}

/** What a source found. */
export interface Collection {
  /** What the class numbers are called, where the format says it: labels are then positions in it. */
  readonly classNames: readonly string[] | undefined;
  readonly train: FoundSet;
  readonly test: FoundSet | undefined;
  /** What was assumed or left out, one sentence each: the user is told. */
  readonly notes: readonly string[];
}

/** A label as it is written: a number, a name, or undefined where nobody knows. */
export type Label = number | string | undefined;

export interface FoundSet {
  /** Where it was found, for errors. */
  readonly path: string;
  readonly count: number;
  /** What each image is called (its path within the folder); undefined: they are numbered from 0. */
  readonly ids: readonly string[] | undefined;
  /** [count]; undefined: none is known. */
  readonly labels: readonly Label[] | undefined;
  readonly images: PlainImages | EncodedImages;
}

/** Images whose pixels the file has as they are. */
export interface PlainImages {
  readonly kind: 'plain';
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly store: ImageStore;
}

/** Pictures in files of PNG, JPEG and the like, which have to be decoded. */
export interface EncodedImages {
  readonly kind: 'encoded';
  /** Changes whenever a picture does: the cache of decoded pictures is looked up by it. */
  readonly key: string;
  /** The path of a picture's file, or its bytes. */
  picture(image: number): string | Promise<Uint8Array>;
}
