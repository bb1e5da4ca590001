// Describes images by histograms of oriented gradients (Dalal & Triggs 2005), after deskewing them if asked. These
// describe strokes and edges instead of ink, so that neighbours are more often of one class. Only + - * / and square
// roots in a fixed order are used, so that every machine has the same bits.
import type { ImageSize } from '../data/augmentation.js';

const ORIENTATIONS = 8;
const CELLS = 9;
/** A response is averaged over a square that reaches this many pixels from its middle to each side. */
const REACH = 2;
/** The least squared gradient that is divided by. */
const LEAST_GRADIENT = 1e-4;
const LEAST_INK = 1e-6;
const LEAST_SPREAD = 1e-3;

export const HOG_VALUES = ORIENTATIONS * CELLS * CELLS;

const DIAGONAL = Math.sqrt(0.5);
/** The directions of the first half of the orientations. The others are opposite to them. */
const DIRECTIONS = [
  [1, 0],
  [DIAGONAL, DIAGONAL],
  [0, 1],
  [-DIAGONAL, DIAGONAL],
] as const;

/** The elements of a side that a cell averages, with their weights. */
interface Cell {
  readonly first: number;
  readonly weights: Float64Array;
}

export class Hog {
  private readonly rows: readonly Cell[];
  private readonly columns: readonly Cell[];
  private readonly upright: Float64Array;
  private readonly plane: Float64Array;
  /** [ORIENTATIONS, height, width] */
  private readonly responses: Float64Array;
  /** [CELLS, width] */
  private readonly strips: Float64Array;

  constructor(
    private readonly size: ImageSize,
    private readonly deskew: boolean,
  ) {
    const { height, width } = size;
    this.rows = cellsOf(height);
    this.columns = cellsOf(width);
    this.plane = new Float64Array(height * width);
    this.upright = new Float64Array(height * width);
    this.responses = new Float64Array(ORIENTATIONS * height * width);
    this.strips = new Float64Array(CELLS * width);
  }

  /**
   * Writes the description of an image. image: bytes [height, width, channels]. to: HOG_VALUES floats. The responses of
   * channels are added up.
   */
  describe(image: Uint8Array, to: Float32Array): void {
    const { channels } = this.size;
    const { responses, plane, upright, size } = this;
    responses.fill(0);
    for (let channel = 0; channel < channels; channel++) {
      for (let i = 0; i < plane.length; i++) plane[i] = image[i * channels + channel]! / 255;
      if (this.deskew) deskewed(plane, size, upright);
      this.addResponses(this.deskew ? upright : plane);
    }
    for (let o = 0; o < ORIENTATIONS; o++) this.pool(o, to);
  }

  /**
   * Adds relu(projection)^3 / |gradient|^2 of each pixel's gradient for each orientation. Gradients are central
   * differences, and 0 at the border.
   */
  private addResponses(plane: Float64Array): void {
    const { responses } = this;
    const { height, width } = this.size;
    const pixels = height * width;
    for (let y = 0, at = 0; y < height; y++) {
      for (let x = 0; x < width; x++, at++) {
        const gx = x > 0 && x < width - 1 ? plane[at + 1]! - plane[at - 1]! : 0;
        const gy = y > 0 && y < height - 1 ? plane[at + width]! - plane[at - width]! : 0;
        if (gx === 0 && gy === 0) continue;
        const square = Math.max(gx * gx + gy * gy, LEAST_GRADIENT);
        for (let d = 0; d < 4; d++) {
          const [cosine, sine] = DIRECTIONS[d]!;
          const along = gx * cosine + gy * sine;
          const size = along < 0 ? -along : along;
          responses[(along < 0 ? d + 4 : d) * pixels + at]! += (size * size * size) / square;
        }
      }
    }
  }

  /**
   * Writes one orientation of the description: the mean over a square around each pixel, then over each cell, and the
   * square root of that.
   */
  private pool(orientation: number, to: Float32Array): void {
    const { responses, strips, rows, columns } = this;
    const { height, width } = this.size;
    const from = orientation * height * width;
    strips.fill(0);
    for (let r = 0; r < CELLS; r++) {
      const { first, weights } = rows[r]!;
      for (let i = 0; i < weights.length; i++) {
        const weight = weights[i]!;
        const row = from + (first + i) * width;
        for (let x = 0; x < width; x++) strips[r * width + x]! += weight * responses[row + x]!;
      }
      for (let c = 0; c < CELLS; c++) {
        const cell = columns[c]!;
        let sum = 0;
        for (let i = 0; i < cell.weights.length; i++) sum += cell.weights[i]! * strips[r * width + cell.first + i]!;
        to[(orientation * CELLS + r) * CELLS + c] = Math.sqrt(sum);
      }
    }
  }
}

/**
 * Returns the weights of each cell: the mean over 2 REACH + 1 elements, with zeros beyond the border, followed by the
 * mean over each of CELLS parts. Parts share elements if the side is no multiple of CELLS.
 */
function cellsOf(side: number): Cell[] {
  return Array.from({ length: CELLS }, (_, cell) => {
    const [start, end] = [Math.floor((cell * side) / CELLS), Math.ceil(((cell + 1) * side) / CELLS)];
    const [first, last] = [Math.max(0, start - REACH), Math.min(side, end + REACH)];
    const weights = new Float64Array(last - first);
    for (let middle = start; middle < end; middle++)
      for (let i = Math.max(0, middle - REACH); i <= Math.min(side - 1, middle + REACH); i++) weights[i - first]! += 1;
    return { first, weights: weights.map((count) => count / (2 * REACH + 1) / (end - start)) };
  });
}

/**
 * Moves the centre of the ink to the middle, and removes its slant by a shear of at most 1, found from second moments.
 * Values between pixels are bilinear, with zeros beyond the border.
 */
function deskewed(plane: Float64Array, { height, width }: ImageSize, to: Float64Array): void {
  const [middleX, middleY] = [(width - 1) / 2, (height - 1) / 2];
  let [ink, sumX, sumY] = [0, 0, 0];
  for (let y = 0, at = 0; y < height; y++)
    for (let x = 0; x < width; x++, at++) {
      const value = plane[at]!;
      if (value === 0) continue;
      ink += value;
      sumX += value * (x - middleX);
      sumY += value * (y - middleY);
    }
  ink = Math.max(ink, LEAST_INK);
  const [centreX, centreY] = [sumX / ink, sumY / ink];
  let [varianceY, covariance] = [0, 0];
  for (let y = 0, at = 0; y < height; y++)
    for (let x = 0; x < width; x++, at++) {
      const value = plane[at]!;
      if (value === 0) continue;
      const dy = y - middleY - centreY;
      varianceY += value * dy * dy;
      covariance += value * (x - middleX - centreX) * dy;
    }
  const slant = Math.min(1, Math.max(-1, covariance / ink / Math.max(varianceY / ink, LEAST_SPREAD)));
  for (let y = 0, at = 0; y < height; y++) {
    const fromY = y + centreY;
    const firstX = slant * (y - middleY) + centreX;
    for (let x = 0; x < width; x++, at++) to[at] = bilinear(plane, height, width, x + firstX, fromY);
  }
}

function bilinear(plane: Float64Array, height: number, width: number, x: number, y: number): number {
  const [left, top] = [Math.floor(x), Math.floor(y)];
  if (left < -1 || left >= width || top < -1 || top >= height) return 0;
  const [right, below] = [x - left, y - top];
  const at = top * width + left;
  const hasTop = top >= 0;
  const hasBelow = top + 1 < height;
  let value = 0;
  if (left >= 0) {
    if (hasTop) value += plane[at]! * (1 - right) * (1 - below);
    if (hasBelow) value += plane[at + width]! * (1 - right) * below;
  }
  if (left + 1 < width) {
    if (hasTop) value += plane[at + 1]! * right * (1 - below);
    if (hasBelow) value += plane[at + width + 1]! * right * below;
  }
  return value;
}
