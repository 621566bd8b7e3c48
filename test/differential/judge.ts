/**
 * What the properties share: reading what a data path sent or wrote by the reference, and
 * comparing frames.
 */
import { decodeBody } from '../../packages/core/src/data-codec/body.ts';
import type { FrameEntry } from '../../packages/core/src/data-codec/body.ts';
import { openDatagram } from '../../packages/core/src/data-codec/datagram.ts';
import type { DatagramHeader } from '../../packages/core/src/data-codec/datagram.ts';
import { completeChecksum, splitTrain } from '../../packages/core/src/data-codec/train.ts';
import { WORLD } from './codec.ts';
import { GSO, NEEDS_CHECKSUM, VNET_BYTES, decodeVnet } from './frames.ts';
import type { VnetHeader } from './frames.ts';

/** A datagram that the data path sent, opened by the reference. */
export interface Sent {
  readonly header: DatagramHeader;
  readonly entries: readonly FrameEntry[];
  readonly bytes: Uint8Array;
}

export function openSent(bytes: Uint8Array): Sent {
  const { header, body } = openDatagram(WORLD.key, bytes);
  const decoded = decodeBody(body);
  if (decoded.kind !== 'frames' || decoded.vni !== WORLD.vni)
    throw new Error('not the frames of the network');
  return { header, entries: decoded.entries, bytes };
}

/** A write to the TAP, and the frames that the kernel makes of it. */
export interface Write {
  readonly vnet: VnetHeader;
  readonly frame: Uint8Array;
  readonly parts: readonly FrameEntry[];
}

export function readWrite(bytes: Uint8Array): Write {
  const vnet = decodeVnet(bytes);
  const frame = bytes.subarray(VNET_BYTES);
  if (vnet.gsoType !== GSO.none) return { vnet, frame, parts: splitTrain(frame, vnet.gsoSize) };
  const isPartial = (vnet.flags & NEEDS_CHECKSUM) !== 0;
  const checksumStart = isPartial ? vnet.checksumStart : 0;
  const checksumOffset = isPartial ? vnet.checksumOffset : 0;
  return { vnet, frame, parts: [{ frame, checksumStart, checksumOffset }] };
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

export const equalBytes = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/** Throws where two lists of entries first differ. */
export function expectSameEntries(
  actual: readonly FrameEntry[],
  expected: readonly FrameEntry[],
): void {
  actual.forEach((entry, i) => {
    const other = expected[i];
    if (other === undefined)
      throw new Error(`frame ${i} of ${actual.length} was not to come, ${expected.length} were`);
    if (
      entry.checksumStart !== other.checksumStart ||
      entry.checksumOffset !== other.checksumOffset ||
      !equalBytes(entry.frame, other.frame)
    ) {
      throw new Error(`frame ${i} is ${describe(entry)}\nand was to be ${describe(other)}`);
    }
  });
  if (actual.length < expected.length)
    throw new Error(`${actual.length} frames came of ${expected.length}`);
}

const describe = (entry: FrameEntry): string =>
  `[${entry.checksumStart}+${entry.checksumOffset}] ${entry.frame.length} bytes: ` +
  hex(entry.frame.subarray(0, 160));

/** Throws when two frames differ once their checksums are complete. */
export function expectSameFrame(actual: FrameEntry, expected: FrameEntry, isIdFree: boolean): void {
  const level = (entry: FrameEntry): Uint8Array =>
    isIdFree ? withoutIdentification(completeChecksum(entry)) : completeChecksum(entry);
  if (!equalBytes(level(actual), level(expected)))
    throw new Error(`a frame is ${describe(actual)}\nand was to be ${describe(expected)}`);
}

/** Where the network header begins, behind the tags. */
export function networkOf(frame: Uint8Array): number {
  let at = 14;
  while ([0x8100, 0x88a8].includes(((frame[at - 2] ?? 0) << 8) | (frame[at - 1] ?? 0))) at += 4;
  return at;
}

/**
 * Whether it is an IPv4 packet that must not be fragmented: its identification has no meaning
 * (RFC 6864).
 */
export function isAtomic(frame: Uint8Array): boolean {
  const at = networkOf(frame);
  return frame[at - 2] === 8 && frame[at - 1] === 0 && ((frame[at + 6] ?? 0) & 0x40) !== 0;
}

function withoutIdentification(frame: Uint8Array): Uint8Array {
  const out = frame.slice();
  const at = networkOf(frame);
  out.fill(0, at + 4, at + 6);
  out.fill(0, at + 10, at + 12);
  return out;
}

/** Drops as they are counted, from a list of reasons. */
export function tally(reasons: readonly string[]): Record<string, number> {
  const out: Record<string, number> = {};
  for (const reason of reasons) out[reason] = (out[reason] ?? 0) + 1;
  return out;
}
