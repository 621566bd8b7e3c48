/**
 * What a host can say of itself to tell two machines with one disk apart. Hints: a copied disk or a
 * guest may repeat any of them (docs/trust.md, section 5). Nothing is asked of a network.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { HostHints } from '@etherloom/api';
import { HOST_HINT_BYTES_MAX } from '../limits.ts';

/** Where QEMU's firmware device shows the VM generation id: 16 bytes behind a table of 40. */
const VM_GENERATION_FILE = '/sys/firmware/qemu_fw_cfg/by_name/etc/vmgenid_guid/raw';
const VM_GENERATION_OFFSET = 40;
const VM_GENERATION_BYTES = 16;

/** Reads the hints; what is not there or no plain word is null. `root` is for tests. */
export function readHostHints(root = '/'): HostHints {
  const word = (path: string): string | null => wordOf(readStart(join(root, path)));
  const generation = readStart(join(root, VM_GENERATION_FILE))?.subarray(VM_GENERATION_OFFSET);
  return {
    bootId: cut(word('/proc/sys/kernel/random/boot_id'), 64),
    machineId: cut(word('/etc/machine-id'), 64),
    // Left by cloud-init, the second by versions that keep it in memory alone.
    cloudInstanceId: cut(
      word('/var/lib/cloud/data/instance-id') ?? word('/run/cloud-init/.instance-id'),
      128,
    ),
    vmGenerationId:
      generation === undefined || generation.length < VM_GENERATION_BYTES
        ? null
        : generation.subarray(0, VM_GENERATION_BYTES).toString('hex'),
  };
}

function readStart(path: string): Buffer | undefined {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    return undefined;
  }
  try {
    const bytes = Buffer.alloc(HOST_HINT_BYTES_MAX);
    return bytes.subarray(0, readSync(file, bytes, 0, bytes.length, null));
  } catch {
    return undefined;
  } finally {
    closeSync(file);
  }
}

/** "uninitialized" is what a system writes that has no machine id yet. */
function wordOf(bytes: Buffer | undefined): string | null {
  const word = bytes?.toString('latin1').trim() ?? '';
  return /^[\w.:-]+$/.test(word) && word !== 'uninitialized' ? word : null;
}

function cut(word: string | null, charsMax: number): string | null {
  return word === null ? null : word.slice(0, charsMax);
}
