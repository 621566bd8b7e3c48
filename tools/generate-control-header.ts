/**
 * Writes datapath/src/control_messages.h from packages/core/src/datapath-control/messages.ts. With
 * --check it compares and exits 1 on a difference. The generated file is committed, so that the C
 * program builds without Node.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import {
  ACTIVITY,
  CONTROL_FRAME_BYTES_MAX,
  CONTROL_VERSION,
  COUNTER_SCOPE,
  DROP_REASONS,
  FEATURE,
  MESSAGES,
  SESSION_ACTIVATION,
  SOUGHT,
  TABLE_KIND,
} from '../packages/core/src/datapath-control/messages.ts';
import type { FieldKind, MessageName } from '../packages/core/src/datapath-control/messages.ts';
import { fieldBytes, fixedBytes } from '../packages/core/src/datapath-control/codec.ts';

const TARGET = new URL('../datapath/src/control_messages.h', import.meta.url);

const snake = (name: string): string => name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`);
const upper = (name: string): string => snake(name).toUpperCase();

/** A field called errno would be expanded as the macro of <errno.h>. */
const cName = (name: string): string => (name === 'errno' ? 'error_number' : snake(name));

function cField(name: string, kind: FieldKind): string {
  if (kind === 'tail') return `\tuint8_t ${cName(name)}[]; /* tail */`;
  if (typeof kind === 'object') return `\tuint8_t ${cName(name)}[${kind.bytes}];`;
  return `\t${{ u8: 'uint8_t', u16: 'be16_t', u32: 'be32_t', u64: 'be64_t' }[kind]} ${cName(name)};`;
}

function cStruct(name: MessageName): string {
  const fields: readonly (readonly [string, FieldKind, string])[] = MESSAGES[name].fields;
  const fixed = fields.filter(([, kind]) => kind !== 'tail');
  const head = `/* ${MESSAGES[name].doc} */\n`;
  if (fixed.length === 0) return `${head}/* ${snake(name)}: no fixed fields. */\n`;
  const tag = `struct control_${snake(name)}`;
  const body = fields.map(([field, kind]) => cField(field, kind)).join('\n');
  return `${head}${tag} {\n${body}\n} __attribute__((packed));\n_Static_assert(sizeof(${tag}) == ${fixedBytes(name)}, "${name}");\n`;
}

const cEnum = (tag: string, prefix: string, table: Readonly<Record<string, number>>): string =>
  `enum ${tag} {\n${Object.entries(table)
    .map(([name, value]) => `\t${prefix}_${upper(name)} = ${value},`)
    .join('\n')}\n};\n`;

type TableKind = keyof typeof TABLE_KIND;

/** The messages of a kind of entries: what sets one, what deletes one, what shows one in a dump. */
function entryMessages(kind: TableKind): readonly [MessageName, MessageName, MessageName] {
  const shown = kind === 'session' ? 'sessionEntry' : (`${kind}Set` as const);
  return [`${kind}Set`, `${kind}Delete`, shown];
}

/** Where a field lies in a message; 0 when it has none. */
function fieldAt(name: MessageName, field: string): number {
  const fields: readonly (readonly [string, FieldKind, string])[] = MESSAGES[name].fields;
  const index = fields.findIndex(([given]) => given === field);
  return fields.slice(0, Math.max(index, 0)).reduce((sum, [, kind]) => sum + fieldBytes(kind), 0);
}

function entryShape(kind: TableKind): string {
  const [set, remove, shown] = entryMessages(kind);
  const [firstOfKey] = MESSAGES[remove].fields[0] ?? [''];
  const values = {
    shown_code: `CONTROL_${upper(shown)}`,
    shown_bytes: fixedBytes(shown),
    key_at: fieldAt(set, firstOfKey),
    key_bytes: fixedBytes(remove),
    mac_at: fieldAt(set, 'mac'),
    peer_at: kind === 'peer' ? 0 : fieldAt(set, 'peer'),
    in_network: firstOfKey === 'vni',
  };
  const fields = Object.entries(values).map(([name, value]) => `.${name} = ${value}`);
  return `\t[TABLE_KIND_${upper(kind)}] = { ${fields.join(', ')} }`;
}

function requestShape(name: MessageName): string {
  const kinds = Object.keys(TABLE_KIND) as TableKind[]; // keys of a const table
  const about = kinds.find((kind) => entryMessages(kind).slice(0, 2).includes(name));
  const hasTail = MESSAGES[name].fields.some(([, kind]) => kind === 'tail');
  const entries =
    about === undefined
      ? ''
      : `, .entries = TABLE_KIND_${upper(about)}, .is_set = ${name === `${about}Set`}`;
  return `\t[CONTROL_${upper(name)}] = { .exists = true, .fixed_bytes = ${fixedBytes(name)}, .has_tail = ${hasTail}${entries} }`;
}

const cList = (macro: string, rows: readonly string[]): string =>
  `#define ${macro} \\\n${rows.join(', \\\n')}\n`;

/** Tables from which C knows how long a request is, and where the key of an entry lies. */
function shapes(names: readonly MessageName[]): string {
  const requests = names.filter((name) => MESSAGES[name].from !== 'datapath');
  const kinds = Object.keys(TABLE_KIND) as TableKind[]; // keys of a const table
  return `/* What the fields of a request look like. */
struct control_request_shape {
	bool exists;
	bool has_tail;
	uint16_t fixed_bytes;
	uint8_t entries; /* TABLE_KIND of the entries that it sets or deletes; 0: another request */
	bool is_set; /* else it deletes */
};

/* By code. */
${cList('CONTROL_REQUEST_SHAPES', requests.map(requestShape))}
/*
 * What the messages of a kind of entries look like: a set is a generation, the key and values, a
 * delete the key alone.
 */
struct control_entry_shape {
	uint16_t shown_code; /* in a dump */
	uint16_t shown_bytes;
	uint8_t key_at; /* in set; 0: no generation before it */
	uint8_t key_bytes;
	uint8_t mac_at; /* in set; 0: no MAC */
	uint8_t peer_at; /* in set, of the peer that the entry belongs to; 0: none */
	bool in_network; /* the key starts with a VNI */
};

/* By TABLE_KIND. */
${cList('CONTROL_ENTRY_SHAPES', kinds.map(entryShape))}
`;
}

function header(): string {
  const names = Object.keys(MESSAGES) as MessageName[]; // keys of a const table
  const codes = Object.fromEntries(names.map((name) => [name, MESSAGES[name].code]));
  const reasons = DROP_REASONS.map(
    ([name, doc]) => `\tDROP_${name.toUpperCase()}, /* ${doc} */`,
  ).join('\n');
  return `/* Generated by tools/generate-control-header.ts from packages/core/src/datapath-control/messages.ts. Do not edit. */
#ifndef LOOM_CONTROL_MESSAGES_H
#define LOOM_CONTROL_MESSAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "bytes.h" /* be16_t, be32_t, be64_t */

#define CONTROL_VERSION ${CONTROL_VERSION}
#define CONTROL_FRAME_BYTES_MAX ${CONTROL_FRAME_BYTES_MAX}

${cEnum('control_code', 'CONTROL', codes)}
${cEnum('table_kind', 'TABLE_KIND', TABLE_KIND)}
${cEnum('session_activation', 'SESSION_ACTIVATION', SESSION_ACTIVATION)}
${cEnum('activity_flag', 'ACTIVITY', ACTIVITY)}
${cEnum('sought', 'SOUGHT', SOUGHT)}
${cEnum('feature_flag', 'FEATURE', FEATURE)}
${cEnum('counter_scope', 'COUNTER_SCOPE', COUNTER_SCOPE)}
enum drop_reason {
${reasons}
\tDROP_REASONS,
};

/* Starts every frame; length counts the bytes behind itself. */
struct control_header {
	be32_t length;
	be16_t code;
	be16_t zero;
	be32_t request_id;
} __attribute__((packed));
_Static_assert(sizeof(struct control_header) == 12, "control_header");

${names.map(cStruct).join('\n')}
${shapes(names)}#endif
`;
}

const text = header();
if (process.argv.includes('--check')) {
  const onDisk = readFileSync(TARGET, 'utf8');
  if (onDisk !== text) {
    console.error('datapath/src/control_messages.h differs from messages.ts: run `make generate`');
    process.exitCode = 1;
  }
} else {
  writeFileSync(TARGET, text);
}
