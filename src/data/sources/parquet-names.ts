// Finds the names of the pictures in a Parquet file: in a column of texts, or in the paths beside the pictures' bytes.
import type { FileMetaData, SchemaTree } from 'hyparquet';
import { parquetSchema } from 'hyparquet/src/metadata.js';

/** The likelier kinds first. A column of names comes before the paths. */
export const NAME_KINDS = ['column', 'path'] as const;
export type NameKind = (typeof NAME_KINDS)[number];

/** Names of columns, the likelier ones first. */
const NAME_COLUMNS = ['image_id', 'file_name', 'filename', 'file', 'image_path', 'path', 'id', 'name'];
const PATH = 'path';
const MOST_LENGTH = 4096;

/** Where names are. */
export interface NameColumn {
  readonly column: string;
  /**
   * The metadata to read the column by: the file's, or metadata in which pictures have no bytes, which would all be
   * read otherwise.
   */
  readonly metadata: FileMetaData;
  /** Returns the name in a value, or '' if it has none. */
  name(value: unknown): string;
}

/** Finds the names of a kind, or returns undefined if the file has none. others: columns of other things. */
export function nameColumn(
  kind: NameKind,
  metadata: FileMetaData,
  imageColumn: string,
  others: readonly (string | undefined)[],
): NameColumn | undefined {
  const { children } = parquetSchema(metadata);
  if (kind === 'path') {
    const image = children.find(({ element }) => element.name === imageColumn)!;
    if (!image.children.some((child) => child.element.name === PATH && isText(child))) return undefined;
    const name = (value: unknown) =>
      typeof value === 'object' && value !== null && PATH in value ? nameOf(value.path) : '';
    return { column: imageColumn, metadata: withPathsOnly(metadata, image), name };
  }
  const texts = children
    .filter(isText)
    .map(({ element }) => element.name)
    .filter((name) => name !== imageColumn && !others.includes(name));
  const column = NAME_COLUMNS.map((each) => texts.find((name) => name.toLowerCase() === each)).find(
    (name) => name !== undefined,
  );
  return column === undefined ? undefined : { column, metadata, name: nameOf };
}

const isText = ({ element, children }: SchemaTree): boolean => element.type === 'BYTE_ARRAY' && children.length === 0;

function nameOf(value: unknown): string {
  const text = value instanceof Uint8Array ? new TextDecoder().decode(value) : value;
  return typeof text === 'string' && text.length <= MOST_LENGTH && !/\p{Cc}/u.test(text) ? text : '';
}

/** Returns metadata in which the column of pictures has only their paths. */
function withPathsOnly(metadata: FileMetaData, image: SchemaTree): FileMetaData {
  const elementsOf = ({ element, children }: SchemaTree): SchemaTree['element'][] => [
    element,
    ...children.flatMap(elementsOf),
  ];
  const left = new Set(image.children.filter(({ element }) => element.name !== PATH).flatMap(elementsOf));
  const { name } = image.element;
  return {
    ...metadata,
    schema: metadata.schema
      .filter((element) => !left.has(element))
      .map((element) => (element === image.element ? { ...element, num_children: 1 } : element)),
    row_groups: metadata.row_groups.map((group) => ({
      ...group,
      columns: group.columns.filter(({ meta_data }) => {
        const [column, inner] = meta_data?.path_in_schema ?? [];
        return column !== name || inner === PATH;
      }),
    })),
  };
}
