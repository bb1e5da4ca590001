// Does the work of a cluster node or an MPI rank for a graph of images: describes images, and finds neighbours among
// rows that it is sent.
import { blocksOf } from '../src/graph/neighbours.js';
import { Rows } from '../src/graph/rows.js';
import { widthsOf } from '../src/models/describe.js';
import type { ReadByNode, ToCoordinator } from '../src/protocol/cluster-messages.js';
import { describedToWire, descriptionFromWire, neighboursToWire } from '../src/protocol/graph-fields.js';
import { floatsOf } from '../src/protocol/tensor-codec.js';
import { canPredict, notAsked } from './request-checks.js';
import type { ThreadExecutor } from './thread-executor.js';

type Asked<K extends ReadByNode['kind']> = Omit<Extract<ReadByNode, { kind: K }>, 'request'>;
type Said<K extends ToCoordinator['kind']> = Omit<Extract<ToCoordinator, { kind: K }>, 'request' | 'lostWorkers'>;

export class GraphHost {
  /** The rows that were sent last. */
  private rows: Rows | undefined;

  constructor(private readonly executor: ThreadExecutor) {}

  async answer(
    message: Asked<'describe'> | Asked<'rows'> | Asked<'neighbours'>,
  ): Promise<Said<'described'> | Said<'ready'> | Said<'found'>> {
    switch (message.kind) {
      case 'describe':
        return this.describe(message);
      case 'rows':
        this.keep(message);
        return { kind: 'ready' };
      case 'neighbours':
        return this.find(message);
    }
  }

  /** Throws E_PROTOCOL if the request does not fit the arena. */
  private async describe({ model: of, description: asked, ranges }: Asked<'describe'>): Promise<Said<'described'>> {
    const description = descriptionFromWire(of, asked);
    const { shape } = this.executor.arena;
    const { size, descriptor, model, set, projection } = description;
    const images = set === 'unlabelled' ? shape.unlabelled : shape.evaluation;
    const fits =
      size.height * size.width * size.channels === shape.pixels &&
      (descriptor.kind === 'features') === (model !== undefined) &&
      (model !== undefined || !description.withProbabilities) &&
      (!model || canPredict(model, shape)) &&
      ranges.every(([start, end]) => start <= end && end <= images);
    if (!fits) throw notAsked("a request 'describe' that does not fit the run");
    const widths = widthsOf(description);
    if (projection && !areBasesOf(projection.bases, widths)) throw notAsked('components of another descriptor');
    return { kind: 'described', results: (await this.executor.describe(description, ranges)).map(describedToWire) };
  }

  /** Writes rows after the earlier ones. The first rows make room for all. */
  private keep({ count, columns, first, values }: Asked<'rows'>): void {
    if (first === 0) this.rows = Rows.allocate({ count, columns, workspaces: this.executor.workers });
    const { rows } = this;
    const height = values.length / 4 / columns;
    const fits =
      rows?.shape.count === count &&
      rows.shape.columns === columns &&
      Number.isInteger(height) &&
      first + height <= count;
    if (!fits) throw notAsked('rows that do not fit those before');
    rows.write(first, floatsOf(values));
  }

  private async find({ neighbours, blocks }: Asked<'neighbours'>): Promise<Said<'found'>> {
    const { rows } = this;
    const all = rows ? blocksOf(rows.shape.count) : 0;
    if (!rows || neighbours >= rows.shape.count || !blocks.every(([start, end]) => start <= end && end <= all))
      throw notAsked("a request 'neighbours' that does not fit its rows");
    return { kind: 'found', results: (await this.executor.neighbours(rows, neighbours, blocks)).map(neighboursToWire) };
  }
}

const areBasesOf = (
  bases: readonly { readonly mean: Float32Array; readonly vectors: Float32Array }[],
  widths: readonly number[],
): boolean =>
  bases.length === widths.length &&
  bases.every(({ mean, vectors }, i) => mean.length === widths[i] && vectors.length % mean.length === 0);
