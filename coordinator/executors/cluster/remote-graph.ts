// Has a node work on a graph of images: sends it the images, the parameters and the rows that it needs, and checks its
// answers.

import type { Rows } from '../../../src/graph/rows.js';
import type { ModelWriter } from '../../../src/models/model-text.js';
import { parameterCount } from '../../../src/models/models.js';
import type { DescribeResult, Description, NeighboursResult } from '../../../src/models/tasks.js';
import { descriptionToWire } from '../../../src/protocol/graph-fields.js';
import type { Ranges } from '../../../src/training/executor.js';
import type { ArenaSync } from '../arena-sync.js';
import { describeElsewhere, neighboursElsewhere, piecesOfRows } from '../graph-work.js';
import type { GraphMachine, MachineLost } from './machine.js';
import type { Requests } from './requests.js';

interface GraphNode {
  readonly requests: Requests;
  readonly arenaSync: ArenaSync;
  readonly models: ModelWriter;
  lose(message: string): MachineLost;
}

export class RemoteGraph implements GraphMachine {
  /** The rows that were sent to the node last. */
  private rows: Rows | undefined;

  constructor(private readonly node: GraphNode) {}

  async describe(description: Description, ranges: Ranges): Promise<DescribeResult[]> {
    const { requests, arenaSync, models } = this.node;
    const { model, set, descriptor } = description;
    if (model) await arenaSync.bringParameters(parameterCount(model));
    await arenaSync.bringImages(set, ranges);
    const asked = { description: descriptionToWire(description), model: model ? models.text(model) : null };
    const work = `descriptions by ${descriptor.kind}, ${description.projection ? 'projected' : 'whole'}`;
    return describeElsewhere(
      description,
      ranges,
      async (part, images) => (await requests.ask({ kind: 'describe', ...asked, ranges: part }, work, images)).results,
      () => this.node.lose('its descriptions do not fit the images'),
    );
  }

  async neighbours(rows: Rows, neighbours: number, blocks: Ranges): Promise<NeighboursResult[]> {
    const { requests } = this.node;
    const { count, columns } = rows.shape;
    if (this.rows !== rows) {
      for (const { first, values } of piecesOfRows(rows))
        await requests.ask({ kind: 'rows', count, columns, first, values }, 'rows', values.length);
      this.rows = rows;
    }
    return neighboursElsewhere(
      rows,
      neighbours,
      blocks,
      async (part, of) =>
        (await requests.ask({ kind: 'neighbours', neighbours, blocks: part }, `neighbours among ${count} rows`, of))
          .results,
      () => this.node.lose('its neighbours do not fit the rows'),
    );
  }
}
