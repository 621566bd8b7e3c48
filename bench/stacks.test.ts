import { expect, test } from 'vitest';
import { flameTree, parseSamples } from './stacks.ts';
import type { FlameNode } from './stacks.ts';

const SCRIPT = `\
    41 
\tffffffff81a0 copy_page_to_iter ([kernel.kallsyms])
\tffffffff81b0 vfs_read+0x1f ([kernel.kallsyms])
\t7f0010 __read (/usr/lib/x86_64-linux-gnu/libc.so.6)
\t5500a0 transmit_port (/opt/loom-datapath)
\t550090 run (/opt/loom-datapath)
\t7f0020 start_thread (/usr/lib/x86_64-linux-gnu/libc.so.6)

    42 
\t7f0030 aes_gcm_enc_256 (/usr/lib/libIPSec_MB.so.1.3.0)
\t7ffe01 [unknown] ([unknown])

`;

const namesOf = (node: FlameNode): Record<string, number> =>
  Object.fromEntries(
    [...node.children.values()].map(({ name, kind, samples }) => [`${kind} ${name}`, samples]),
  );

test('reads stacks outermost first, with the kind of place of each function', () => {
  const [first] = parseSamples(SCRIPT, 'loom-datapath');
  expect(first).toEqual({
    pid: 41,
    frames: [
      { name: 'run', kind: 'program' },
      { name: 'transmit_port', kind: 'program' },
      { name: '__read', kind: 'library' },
      { name: 'vfs_read', kind: 'kernel' },
      { name: 'copy_page_to_iter', kind: 'kernel' },
    ],
  });
});

test('a stack that never reaches the program is kept whole, an address has the name of its file', () => {
  expect(parseSamples(SCRIPT, 'loom-datapath')[1]?.frames).toEqual([
    { name: '[unknown]', kind: 'library' },
    { name: 'aes_gcm_enc_256', kind: 'library' },
  ]);
});

test('text that is no sample is left out', () => {
  expect(parseSamples('\n\nperf: nothing here\n\n    43 \n\n', 'loom-datapath')).toEqual([]);
});

test('equal stacks are one place of the tree, and a caller has what it called', () => {
  const run = { name: 'run', kind: 'program' } as const;
  const read = { name: 'read', kind: 'kernel' } as const;
  const tree = flameTree(
    [
      { pid: 1, frames: [run, read] },
      { pid: 1, frames: [run, read] },
      { pid: 1, frames: [run] },
      { pid: 2, frames: [run] },
      { pid: 3, frames: [run] },
    ],
    (pid) => ({ 1: 'sending', 2: 'receiving' })[pid] ?? null,
  );
  expect(tree.samples).toBe(4);
  expect(namesOf(tree)).toEqual({ 'group sending': 3, 'group receiving': 1 });
  const sending = tree.children.get('group sending');
  expect(sending === undefined ? {} : namesOf(sending)).toEqual({ 'program run': 3 });
  const found = sending?.children.get('program run');
  expect(found === undefined ? {} : namesOf(found)).toEqual({ 'kernel read': 2 });
});
