/**
 * The kernel's own memory of which address has which MAC, on the devices of this node. When an
 * address goes to another member (a replaced host, a reused address), the kernel would go on
 * sending to the MAC of the former one until it doubts it, for half a minute and longer: frames to
 * nobody. Entries that contradict the plan are deleted, and the next packet asks the data path
 * again.
 */
import { parseIp } from '@etherloom/core';
import type { PlannedNeighbour } from '@etherloom/core';
import { z } from 'zod';
import { listNeighbours, runIpBatch } from './iproute.ts';

/** MAC of each address, by device and address. */
export type Bindings = ReadonlyMap<string, string>;

const entrySchema = z.looseObject({
  dst: z.string(),
  dev: z.string(),
  lladdr: z.string().optional(),
  state: z.array(z.string()).default([]),
});

/** What the plan says; `deviceOf` gives no name where a network has no usable device. */
export function bindingsOf(
  neighbours: readonly PlannedNeighbour[],
  deviceOf: (vni: number) => string | undefined,
): Bindings {
  const bindings = new Map<string, string>();
  for (const { vni, ip, mac } of neighbours) {
    const device = deviceOf(vni);
    if (device !== undefined) bindings.set(`${device} ${hex(ip)}`, hex(mac));
  }
  return bindings;
}

/** True when nothing has to be looked at again. */
export function isSameBindings(a: Bindings, b: Bindings): boolean {
  return a.size === b.size && [...a].every(([key, mac]) => b.get(key) === mac);
}

/**
 * Commands that delete what contradicts the bindings, from what `ip -j neighbour show` prints. What
 * a person has set (PERMANENT) and what belongs to other devices stays.
 */
export function planForgetting(
  text: string,
  bindings: Bindings,
  devices: ReadonlySet<string>,
): string[][] {
  const entries = z.array(z.unknown()).parse(JSON.parse(text === '' ? '[]' : text));
  return entries.flatMap((raw) => {
    const entry = entrySchema.safeParse(raw);
    if (!entry.success) return [];
    const { dst, dev, lladdr, state } = entry.data;
    const ip = parseIp(dst);
    if (!devices.has(dev) || lladdr === undefined || ip === undefined) return [];
    if (state.includes('PERMANENT') || state.includes('NOARP')) return [];
    if (bindings.get(`${dev} ${hex(ip)}`) === lladdr.replaceAll(':', '')) return [];
    return [['neighbour', 'delete', dst, 'dev', dev]];
  });
}

/** Makes the kernel forget what contradicts the bindings. Rejects when it cannot be asked. */
export async function forgetStaleNeighbours(
  bindings: Bindings,
  devices: ReadonlySet<string>,
): Promise<void> {
  const commands = planForgetting(await listNeighbours(), bindings, devices);
  // An entry that has gone by itself in the meantime is as good as deleted.
  await runIpBatch(commands).catch(() => undefined);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
