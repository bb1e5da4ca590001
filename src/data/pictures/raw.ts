// The pixels of one picture, and their conversion to grey or colour of 8 bits, which data sets take.

/** What a picture lost: transparency, 16-bit values, or all frames or pages except the first. */
export type DecodingLoss = 'alpha' | 'depth' | 'frames';

/** A picture as a decoder returns it, in 8 bits. */
export interface RawPicture {
  readonly height: number;
  readonly width: number;
  /** Grey, grey with alpha, colour, colour with alpha. */
  readonly channels: 1 | 2 | 3 | 4;
  readonly pixels: Uint8Array;
}

export interface Picture {
  readonly height: number;
  readonly width: number;
  readonly channels: 1 | 3;
  /** [height, width, channels] */
  readonly pixels: Uint8Array;
  readonly losses: readonly DecodingLoss[];
}

const ALPHA: readonly DecodingLoss[] = ['alpha'];

/**
 * Puts transparent parts on black. The pictures of all decoders go through this function, so that they have the same
 * bits.
 */
export function withoutAlpha(
  { height, width, channels, pixels }: RawPicture,
  losses: readonly DecodingLoss[] = [],
): Picture {
  if (channels === 1 || channels === 3) return { height, width, channels, pixels, losses };
  const kept = channels === 2 ? 1 : 3;
  const opaque = new Uint8Array(height * width * kept);
  let isSeeThrough = false;
  for (let from = 0, to = 0; to < opaque.length; from += channels) {
    const alpha = pixels[from + kept]!;
    if (alpha !== 255) isSeeThrough = true;
    for (let c = 0; c < kept; c++) opaque[to++] = Math.round((pixels[from + c]! * alpha) / 255);
  }
  return {
    height,
    width,
    channels: kept,
    pixels: opaque,
    losses: isSeeThrough ? (losses.length > 0 ? [...losses, 'alpha'] : ALPHA) : losses,
  };
}
