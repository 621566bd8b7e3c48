/**
 * Writes the files of datapath/vectors (control, data, guard, handshake), which both sides are
 * tested against. With --check it compares and exits 1 on a difference. The files are committed,
 * so that the C tests run without Node.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dataVectorText } from '../packages/core/src/data-codec/vectors.ts';
import { guardVectorText } from '../packages/core/src/handshake/guard-vectors.ts';
import { controlVectorText } from '../packages/core/src/datapath-control/vectors.ts';
import {
  freshVectorCiphertext,
  handshakeVectorText,
  vectorCiphertext,
} from '../packages/core/src/handshake/vectors.ts';

const FOLDER = new URL('../datapath/vectors/', import.meta.url);
const FILES = {
  'control.hex': controlVectorText(),
  'data.hex': dataVectorText(),
  'handshake.hex': handshakeVectorText(committedCiphertext()),
  'guard.hex': guardVectorText(),
};

mkdirSync(FOLDER, { recursive: true });
for (const [name, text] of Object.entries(FILES)) {
  const target = new URL(name, FOLDER);
  if (!process.argv.includes('--check')) {
    writeFileSync(target, text);
  } else if (readFileSync(target, 'utf8') !== text) {
    console.error(`datapath/vectors/${name} differs from its source: run \`make generate\``);
    process.exitCode = 1;
  }
}

/** Encapsulation cannot be repeated: what is committed stays. */
function committedCiphertext(): Uint8Array {
  const file = new URL('handshake.hex', FOLDER);
  return existsSync(file) ? vectorCiphertext(readFileSync(file, 'utf8')) : freshVectorCiphertext();
}
