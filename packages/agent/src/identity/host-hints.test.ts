import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { hostHintsSchema } from '@etherloom/api';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readHostHints } from './host-hints.ts';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'etherloom-hints-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function put(path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
}

test('a host without any of the files has no hints', () => {
  expect(Object.values(readHostHints(root))).toEqual([null, null, null, null]);
});

test('each hint is read from its file', () => {
  put('/proc/sys/kernel/random/boot_id', '0b5f6d4e-2f3a-4f53-9a68-0d6d5a1b1f10\n');
  put('/etc/machine-id', 'd41d8cd98f00b204e9800998ecf8427e\n');
  put('/var/lib/cloud/data/instance-id', 'i-0abc12345\n');
  const table = new Uint8Array(4_096).fill(7, 40, 56);
  put('/sys/firmware/qemu_fw_cfg/by_name/etc/vmgenid_guid/raw', table);
  expect(readHostHints(root)).toEqual({
    bootId: '0b5f6d4e-2f3a-4f53-9a68-0d6d5a1b1f10',
    machineId: 'd41d8cd98f00b204e9800998ecf8427e',
    cloudInstanceId: 'i-0abc12345',
    vmGenerationId: '07'.repeat(16),
  });
});

test('what is no plain word, or too long, never makes a message that is refused', () => {
  put('/etc/machine-id', 'uninitialized\n');
  put('/proc/sys/kernel/random/boot_id', 'two words');
  put('/var/lib/cloud/data/instance-id', 'x'.repeat(10_000));
  const hints = readHostHints(root);
  expect(hints).toMatchObject({ machineId: null, bootId: null });
  expect(hostHintsSchema.safeParse(hints).success).toBe(true);
});

test('this machine gives hints that the contract takes', () => {
  expect(hostHintsSchema.safeParse(readHostHints()).success).toBe(true);
});
