/** Builds and runs tools/vnet_frames.c: frames with offload headers in and out of an interface. */
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CHECKOUT, readTail, runCommand, waitFor, type World } from '@etherloom/lab';
import { concat, encodeVnet, PLAIN_VNET } from '../differential/frames.ts';
import type { PairHost } from './data-path-pair.ts';

const PROGRAM = `${CHECKOUT.root}/.cache/test/vnet_frames`;
const SOURCE = fileURLToPath(new URL('tools/vnet_frames.c', import.meta.url));
/** EtherType of the frame behind all others, which none of them has. */
const END_TYPE = 0x88b7;
/** A frame must come within this time of the one before. */
const QUIET_MS_MAX = 10_000;

export async function buildVnetFrames(): Promise<void> {
  mkdirSync(dirname(PROGRAM), { recursive: true });
  const flags = ['-std=gnu11', '-O1', '-Wall', '-Wextra', '-Werror'];
  await runCommand(['cc', ...flags, '-o', PROGRAM, SOURCE]);
}

const bytesOf = (mac: string): number[] => mac.split(':').map((part) => Number.parseInt(part, 16));

/**
 * Hands records (vnet header, frame) to the port of one host. Resolves to the records that come out
 * of the other's.
 */
export async function passRecords(
  world: World,
  route: { readonly from: PairHost; readonly to: PairHost },
  records: readonly Uint8Array[],
): Promise<readonly Uint8Array[]> {
  const { from, to } = route;
  const receiver = await world.spawn({
    label: `frames-${to.name}`,
    namespace: to.namespace,
    argv: [
      PROGRAM,
      'receive',
      'lm0',
      from.mac.replaceAll(':', ''),
      END_TYPE.toString(16),
      String(QUIET_MS_MAX),
    ],
  });
  const { outputPath, logPath } = receiver;
  await waitFor('the frame receiver', () => readTail(outputPath).includes('ready'), {
    logs: [logPath],
  });
  const ending = concat(
    encodeVnet(PLAIN_VNET),
    bytesOf(to.mac),
    bytesOf(from.mac),
    [END_TYPE >> 8, END_TYPE & 255],
    new Uint8Array(46),
  );
  const lines = [...records, ending].map((bytes) => Buffer.from(bytes).toString('hex'));
  await world.exec(from.namespace, [PROGRAM, 'send', 'lm0'], { input: `${lines.join('\n')}\n` });
  const { status } = await receiver.exited;
  if (status !== 0) throw new Error('the last frame did not come');
  return readFileSync(outputPath, 'utf8')
    .split('\n')
    .slice(1)
    .filter((line) => line !== '')
    .map((line) => Uint8Array.from(Buffer.from(line, 'hex')));
}
