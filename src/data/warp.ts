// Moves the pixels of images: rotation, scale, shear, shift, crop, flip and elastic distortion. It uses sums, products
// and quotients only, in a fixed order, so that every machine computes the same bits. Sines and exponentials differ
// between versions of V8.
import type { Stream } from '../random.js';
import type { Augmentation, ImageSize } from './augmentation.js';

/**
 * Maps a place in the result to one in the image, both relative to the centre: x' = a x + b y + c, y' = d x + e y + f.
 */
type Affine = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

/**
 * The cells of the grid of an elastic distortion in each direction, and its knots: a cubic B-spline needs three more.
 */
const CELLS = 4;
const KNOTS = CELLS + 3;

/** Warps images of one size. It holds scratch memory, and nothing that depends on earlier images. */
export class Warp {
  /** The image with a black border of one pixel, so that all four neighbours of a place exist. */
  private readonly padded: Uint8Array;
  private readonly columns: Spline;
  private readonly rows: Spline;
  private readonly knots = new Float64Array(2 * KNOTS * KNOTS);
  /** The x and y of the knots for one row of pixels. */
  private readonly ofRow = new Float64Array(2 * KNOTS);
  /** The places in the image that the pixels of one row come from. */
  private readonly x: Float64Array;
  private readonly y: Float64Array;

  constructor(private readonly size: ImageSize) {
    const { height, width, channels } = size;
    this.padded = new Uint8Array((height + 2) * (width + 2) * channels);
    this.columns = new Spline(width);
    this.rows = new Spline(height);
    this.x = new Float64Array(width);
    this.y = new Float64Array(width);
  }

  /**
   * Writes a warped copy of an image. image: [height, width, channels]. Values between pixels are bilinear, and pixels
   * from outside of the image are black.
   */
  write(image: Uint8Array, by: Augmentation, stream: Stream, to: Uint8Array): void {
    const affine = inverseOf(by, this.size, stream);
    const { elastic = 0 } = by;
    this.knots.fill(0);
    if (elastic > 0) for (let k = 0; k < this.knots.length; k++) this.knots[k] = elastic * stream.bell();
    this.pad(image);
    to.fill(0);
    for (let row = 0; row < this.size.height; row++) this.writeRow(row, affine, elastic > 0, to);
  }

  private pad(image: Uint8Array): void {
    const { height, width, channels } = this.size;
    const stride = width * channels;
    for (let row = 0; row < height; row++) {
      const from = row * stride;
      const to = (row + 1) * (stride + 2 * channels) + channels;
      // Rows are short, so that a loop is faster than a view and its copy.
      for (let i = 0; i < stride; i++) this.padded[to + i] = image[from + i]!;
    }
  }

  private writeRow(row: number, [a, b, c, d, e, f]: Affine, isBent: boolean, to: Uint8Array): void {
    const { height, width, channels } = this.size;
    const { x: placesX, y: placesY } = this;
    const [middleX, middleY] = [(width - 1) / 2, (height - 1) / 2];
    const startX = b * (row - middleY) + c + middleX - a * middleX;
    const startY = e * (row - middleY) + f + middleY - d * middleX;
    for (let column = 0; column < width; column++) {
      placesX[column] = startX + a * column;
      placesY[column] = startY + d * column;
    }
    if (isBent) this.bend(row);
    if (channels === 1) this.readGrey(row * width, height, width, to);
    else this.read(row * width, this.size, to);
  }

  /** Writes the pixels at the places of one row. */
  private readGrey(target: number, height: number, width: number, to: Uint8Array): void {
    const { padded, x: placesX, y: placesY } = this;
    const stride = width + 2;
    for (let column = 0; column < width; column++) {
      const x = placesX[column]!;
      const y = placesY[column]!;
      if (!(x > -1 && y > -1 && x < width && y < height)) continue;
      // Places are in units of 1 / 256 of a pixel of the padded image, because whole numbers are several times as fast.
      const fromX = ((x + 1) * 256) | 0;
      const fromY = ((y + 1) * 256) | 0;
      const right = fromX & 255;
      const below = fromY & 255;
      const at = (fromY >> 8) * stride + (fromX >> 8);
      const upper = (padded[at]! << 8) + (padded[at + 1]! - padded[at]!) * right;
      const lower = (padded[at + stride]! << 8) + (padded[at + stride + 1]! - padded[at + stride]!) * right;
      to[target + column] = ((upper << 8) + (lower - upper) * below + 32768) >> 16;
    }
  }

  private read(target: number, { height, width, channels }: ImageSize, to: Uint8Array): void {
    const { padded, x: placesX, y: placesY } = this;
    const stride = (width + 2) * channels;
    for (let column = 0; column < width; column++) {
      const x = placesX[column]!;
      const y = placesY[column]!;
      if (!(x > -1 && y > -1 && x < width && y < height)) continue;
      const fromX = ((x + 1) * 256) | 0;
      const fromY = ((y + 1) * 256) | 0;
      const right = fromX & 255;
      const below = fromY & 255;
      const first = (fromY >> 8) * stride + (fromX >> 8) * channels;
      const end = first + channels;
      let result = (target + column) * channels;
      for (let at = first; at < end; at++) {
        const upper = (padded[at]! << 8) + (padded[at + channels]! - padded[at]!) * right;
        const bottom = at + stride;
        const lower = (padded[bottom]! << 8) + (padded[bottom + channels]! - padded[bottom]!) * right;
        to[result++] = ((upper << 8) + (lower - upper) * below + 32768) >> 16;
      }
    }
  }

  /** Moves the places of one row of pixels as the grid says: first along the columns, then along the row. */
  private bend(row: number): void {
    const { x: placesX, y: placesY, ofRow } = this;
    this.bendRow(row);
    const { weights, starts } = this.columns;
    for (let cell = 0; cell < CELLS; cell++) {
      const x0 = ofRow[cell]!;
      const x1 = ofRow[cell + 1]!;
      const x2 = ofRow[cell + 2]!;
      const x3 = ofRow[cell + 3]!;
      const y0 = ofRow[KNOTS + cell]!;
      const y1 = ofRow[KNOTS + cell + 1]!;
      const y2 = ofRow[KNOTS + cell + 2]!;
      const y3 = ofRow[KNOTS + cell + 3]!;
      const end = starts[cell + 1]!;
      for (let column = starts[cell]!, w = 4 * column; column < end; column++, w += 4) {
        const w0 = weights[w]!;
        const w1 = weights[w + 1]!;
        const w2 = weights[w + 2]!;
        const w3 = weights[w + 3]!;
        placesX[column] = placesX[column]! + (w0 * x0 + w1 * x1 + w2 * x2 + w3 * x3);
        placesY[column] = placesY[column]! + (w0 * y0 + w1 * y1 + w2 * y2 + w3 * y3);
      }
    }
  }

  /** Computes the knots for one row of pixels from those of the grid. */
  private bendRow(row: number): void {
    const { knots, ofRow, rows } = this;
    const first = rows.cells[row]! * KNOTS;
    const w0 = rows.weights[4 * row]!;
    const w1 = rows.weights[4 * row + 1]!;
    const w2 = rows.weights[4 * row + 2]!;
    const w3 = rows.weights[4 * row + 3]!;
    for (let k = 0; k < 2 * KNOTS; k++) {
      const at = first + (k < KNOTS ? k : KNOTS * KNOTS + k - KNOTS);
      ofRow[k] = w0 * knots[at]! + w1 * knots[at + KNOTS]! + w2 * knots[at + 2 * KNOTS]! + w3 * knots[at + 3 * KNOTS]!;
    }
  }
}

/** The weights of four knots in the displacement of each pixel of a line: the uniform cubic B-spline. */
class Spline {
  /** [pixels, 4]: the weights of the knots from the number of the pixel's cell on. */
  readonly weights: Float64Array;
  /** The cell of each pixel. */
  readonly cells: Uint8Array;
  /** The first pixel of each cell, and the end. */
  readonly starts: Uint32Array;

  constructor(pixels: number) {
    this.weights = new Float64Array(4 * pixels);
    this.cells = new Uint8Array(pixels);
    this.starts = new Uint32Array(CELLS + 1).fill(pixels);
    for (let i = pixels - 1; i >= 0; i--) {
      const t = pixels > 1 ? (i / (pixels - 1)) * CELLS : 0;
      const cell = Math.min(Math.floor(t), CELLS - 1);
      this.cells[i] = cell;
      // A cell without pixels is empty where the next one begins.
      this.starts.fill(i, 0, cell + 1);
      const g = t - cell;
      const h = 1 - g;
      this.weights[4 * i] = (h * h * h) / 6;
      this.weights[4 * i + 1] = (3 * g * g * g - 6 * g * g + 4) / 6;
      this.weights[4 * i + 2] = (3 * h * h * h - 6 * h * h + 4) / 6;
      this.weights[4 * i + 3] = (g * g * g) / 6;
    }
  }
}

/**
 * Draws the inverse of the change, in a fixed order. With t = tan(angle / 2), cos = (1 - t^2) / (1 + t^2) and sin = 2 t
 * / (1 + t^2). t is drawn in proportion to the angle, and e^s is approximated by (1 + s / 2) / (1 - s / 2).
 */
function inverseOf(by: Augmentation, { height, width }: ImageSize, stream: Stream): Affine {
  const { rotate = 0, scale = 0, shear = 0, shift = 0, flip = false, crop = 1 } = by;
  const draw = (most: number): number => most * (2 * stream.uniform() - 1);
  const t = draw((rotate * Math.PI) / 360);
  const [sideX, sideY] = [draw(scale), draw(scale)];
  const slant = draw(shear);
  const [x, y] = [draw(shift), draw(shift)];
  const mirrored = stream.uniform() < 0.5 && flip ? -1 : 1;
  // The window's side, and the distance of its centre from the image's.
  const side = crop < 1 ? 1 - (1 - crop) * stream.uniform() : 1;
  const [windowX, windowY] = crop < 1 ? [draw((1 - side) * width) / 2, draw((1 - side) * height) / 2] : [0, 0];
  const sizeX = (side * (1 - sideX / 2)) / (1 + sideX / 2);
  const sizeY = (side * (1 - sideY / 2)) / (1 + sideY / 2);
  const [cos, sin] = [(1 - t * t) / (1 + t * t), (2 * t) / (1 + t * t)];
  const [a, b] = [mirrored * sizeX * cos, mirrored * sizeX * (cos * slant + sin)];
  const [d, e] = [-sizeY * sin, sizeY * (cos - sin * slant)];
  return [a, b, windowX - (a * x + b * y), d, e, windowY - (d * x + e * y)];
}
