/**
 * Captures UDP datagrams on an underlay interface by tcpdump, and reads them back from the file.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readTail, waitFor, type Background, type Namespace, type World } from '@etherloom/lab';

export interface Capture {
  /** Ends the capture and gives the UDP payloads in order. */
  stop(): Promise<readonly Uint8Array[]>;
}

export async function startCapture(
  world: World,
  namespace: Namespace,
  device: string,
  filter: string,
): Promise<Capture> {
  const file = join(world.directory, `${namespace.label}-${device}.pcap`);
  const background: Background = await world.spawn({
    label: `capture-${namespace.label}-${device}`,
    namespace,
    argv: [
      'tcpdump',
      '-Z',
      'root',
      '-U',
      '--immediate-mode',
      '-s',
      '0',
      '-i',
      device,
      '-w',
      file,
      filter,
    ],
  });
  await waitFor('tcpdump to listen', () => readTail(background.logPath).includes('listening on'), {
    logs: [background.logPath],
  });
  return {
    stop: async () => {
      background.kill('SIGINT');
      await background.exited;
      return udpPayloads(readFileSync(file));
    },
  };
}

/**
 * pcap (libpcap file format, Ethernet link type): payloads of IPv4 and IPv6 UDP without options or
 * fragments.
 */
export function udpPayloads(pcap: Uint8Array): readonly Uint8Array[] {
  const view = new DataView(pcap.buffer, pcap.byteOffset, pcap.length);
  if (view.getUint32(0, true) !== 0xa1b2c3d4) throw new Error('no little-endian pcap file');
  const payloads: Uint8Array[] = [];
  for (let at = 24; at + 16 <= pcap.length;) {
    const length = view.getUint32(at + 8, true);
    const frame = pcap.subarray(at + 16, at + 16 + length);
    const etherType = ((frame[12] ?? 0) << 8) | (frame[13] ?? 0);
    const headers = etherType === 0x0800 ? 14 + 20 + 8 : etherType === 0x86dd ? 14 + 40 + 8 : 0;
    if (headers > 0) payloads.push(Uint8Array.from(frame.subarray(headers)));
    at += 16 + length;
  }
  return payloads;
}
