/** Builds tools/frame_tool.c, which sends and receives raw frames. */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CHECKOUT, runCommand } from '@etherloom/lab';

export const FRAME_TOOL = `${CHECKOUT.root}/.cache/test/frame_tool`;

const SOURCE = fileURLToPath(new URL('tools/frame_tool.c', import.meta.url));

export async function buildFrameTool(): Promise<void> {
  mkdirSync(dirname(FRAME_TOOL), { recursive: true });
  const flags = ['-std=gnu11', '-O1', '-Wall', '-Wextra', '-Werror'];
  await runCommand(['cc', ...flags, '-o', FRAME_TOOL, SOURCE]);
}
