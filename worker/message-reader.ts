// Owns the reading of WebSocket messages (RFC 6455, section 5.2) into one block of memory that every message is put together in. ws would take
// a new megabyte for each, and memory that is cold takes longer to fill than loopback to bring it. Pure but for the block.

export interface MessageSink {
  /** bytes: valid during the call only, from an address that is a multiple of 8. */
  message(bytes: Uint8Array, isBinary: boolean): void;
  /** What is not of a message: control frames, and all from the first byte on that is not as it should be. Valid during the call only. */
  other(bytes: Buffer): void;
}

export interface MessageLimits {
  /** Bytes of the longest message. */
  readonly longest: number;
  /** Whether frames come masked: a client's do, a server's do not. */
  readonly isMasked: boolean;
}

/** The block grows by what arrives, not by what is announced, and stays this long: a megabyte and its head are the longest that come often. */
const KEPT_BYTES = 2 ** 21;
const LEAST_BYTES = 2 ** 12;
const LONGEST_HEAD = 14;

const FIN = 0x80;
const RESERVED = 0x70;
const OPCODE = 0x0f;
const MASK = 0x80;
const LENGTH = 0x7f;
const CONTINUATION = 0;
const TEXT = 1;
const BINARY = 2;
const FIRST_OF_CONTROL = 8;

export class MessageReader {
  private readonly head = Buffer.alloc(LONGEST_HEAD);
  private headBytes = 0;
  /** Bytes of the frame's payload that are still to come. */
  private left = 0;
  private isControl = false;
  private isForeign = false;
  private isLast = false;
  /** undefined: none, or zeros. */
  private mask: Buffer | undefined;
  /** Where in the block the frame's payload begins. */
  private start = 0;
  private block = Buffer.alloc(LEAST_BYTES);
  /** Bytes of the message that have come; undefined between two. */
  private filled: number | undefined;
  private isText = false;

  constructor(
    private readonly limits: MessageLimits,
    private readonly sink: MessageSink,
  ) {}

  /** No message has begun. */
  get isBetween(): boolean {
    return this.filled === undefined && this.left === 0 && this.headBytes === 0 && !this.isForeign;
  }

  /** Takes bytes up to the end of a frame at most. Returns how many. */
  take(bytes: Buffer): number {
    if (this.isForeign) return this.pass(bytes);
    if (this.left === 0) return this.takeHead(bytes);
    const part = bytes.subarray(0, this.left);
    this.left -= part.length;
    if (this.isControl) return this.pass(part);
    this.append(part);
    if (this.left === 0) this.endFrame();
    return part.length;
  }

  private takeHead(bytes: Buffer): number {
    let taken = 0;
    while (taken < bytes.length) {
      this.head[this.headBytes++] = bytes[taken++]!;
      if (this.headBytes < lengthOfHead(this.head, this.headBytes)) continue;
      this.beginFrame(this.head.subarray(0, this.headBytes));
      this.headBytes = 0;
      break;
    }
    return taken;
  }

  private beginFrame(head: Buffer): void {
    const opcode = head[0]! & OPCODE;
    this.left = lengthOfPayload(head);
    this.isControl = opcode >= FIRST_OF_CONTROL;
    this.isForeign = !this.isControl && !this.isInOrder(head, opcode);
    // Who judges it has not seen how the message began.
    if (this.isForeign && opcode === CONTINUATION && this.filled !== undefined) head[0]! |= BINARY;
    if (this.isControl || this.isForeign) this.sink.other(head);
    else this.beginPayload(head, opcode);
  }

  private beginPayload(head: Buffer, opcode: number): void {
    if (opcode !== CONTINUATION) this.isText = opcode === TEXT;
    this.filled ??= 0;
    this.start = this.filled;
    this.isLast = (head[0]! & FIN) !== 0;
    const mask = head.subarray(-4);
    this.mask = this.limits.isMasked && mask.some((byte) => byte !== 0) ? mask : undefined;
    if (this.left === 0) this.endFrame();
  }

  private isInOrder(head: Buffer, opcode: number): boolean {
    const { longest, isMasked } = this.limits;
    const isKnown = opcode <= BINARY && (head[0]! & RESERVED) === 0 && ((head[1]! & MASK) !== 0) === isMasked;
    const follows = (opcode === CONTINUATION) === (this.filled !== undefined);
    return isKnown && follows && (this.filled ?? 0) + this.left <= longest;
  }

  private append(part: Buffer): void {
    const from = this.filled!;
    const to = from + part.length;
    if (to > this.block.length) {
      const longer = Buffer.allocUnsafeSlow(Math.max(2 * this.block.length, to));
      longer.set(this.block.subarray(0, from));
      this.block = longer;
    }
    this.block.set(part, from);
    this.filled = to;
    if (!this.mask) return;
    for (let at = from; at < to; at++) this.block[at]! ^= this.mask[(at - this.start) & 3]!;
  }

  private endFrame(): void {
    if (!this.isLast) return;
    const message = this.block.subarray(0, this.filled);
    this.filled = undefined;
    this.sink.message(message, !this.isText);
    if (this.block.length > KEPT_BYTES) this.block = Buffer.alloc(LEAST_BYTES);
  }

  private pass(bytes: Buffer): number {
    this.sink.other(bytes);
    return bytes.length;
  }
}

/** As far as so many bytes of it tell. */
function lengthOfHead(head: Buffer, known: number): number {
  if (known < 2) return 2;
  const length = head[1]! & LENGTH;
  return 2 + (length === 126 ? 2 : length === 127 ? 8 : 0) + ((head[1]! & MASK) !== 0 ? 4 : 0);
}

function lengthOfPayload(head: Buffer): number {
  const length = head[1]! & LENGTH;
  if (length === 126) return head.readUInt16BE(2);
  return length === 127 ? Number(head.readBigUInt64BE(2)) : length;
}
