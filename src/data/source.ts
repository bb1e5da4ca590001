// The interface of a data source, which finds images in the files of one format. A format is one file in sources/ and a
// row of the table in sources.ts. No other code knows formats.
import type { ImageStore } from './image-store.js';
import type { ListFolder } from './listing.js';

/** The options of a source besides its path. */
export interface SourceOptions {
  /** The folder, within a folder of images, whose images have no label. */
  readonly unlabelled: string;
  /** Follows links that lead out of the folder. */
  readonly followLinks: boolean;
  readonly list: ListFolder;
}

export interface DataSource {
  /** The name that --format takes. */
  readonly name: string;
  /** What it reads, for --help: 'a folder of images'. */
  readonly reads: string;
  /** Returns whether a path looks like this format, by names and first bytes. path: exists. */
  recognises(path: string, list: ListFolder): Promise<boolean>;
  /** Reads everything except encoded pictures. Throws PseudolabelError E_DATA_*. */
  open(path: string, options: SourceOptions): Promise<Collection>;
}

/** What a source found. */
export interface Collection {
  /** The names of the classes, if the format says them. Number labels are then positions in this list. */
  readonly classNames: readonly string[] | undefined;
  readonly train: FoundSet;
  readonly test: FoundSet | undefined;
  /** What was assumed or left out, one sentence each. The user is told. */
  readonly notes: readonly string[];
}

/** A label as it is written: a number, a name, or undefined if it is unknown. */
export type Label = number | string | undefined;

export interface FoundSet {
  /** Where it was found, for errors. */
  readonly path: string;
  readonly count: number;
  /** The name of each image (its path within the folder). undefined: images are numbered from 0. */
  readonly ids: readonly string[] | undefined;
  /** [count]; undefined: none is known. */
  readonly labels: readonly Label[] | undefined;
  readonly images: PlainImages | EncodedImages;
}

/** Images whose pixels the file holds without an encoding. */
export interface PlainImages {
  readonly kind: 'plain';
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly store: ImageStore;
}

/** Pictures in files such as PNG and JPEG, which have to be decoded. */
export interface EncodedImages {
  readonly kind: 'encoded';
  /** Changes whenever a picture does. The cache of decoded pictures uses it as its key. */
  readonly key: string;
  /** Returns the path of a picture's file, or its bytes. */
  picture(image: number): string | Promise<Uint8Array>;
}
