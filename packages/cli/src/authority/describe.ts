/**
 * Statements in words that a person can judge, made from the very text that will be signed and from
 * what is in force in its place; never from what the controller says about them.
 */
import type {
  AuthorityStatement,
  CredentialStatement,
  NetworkStatement,
  PendingStatement,
  RevocationStatement,
  RosterStatement,
  SignedStatement,
  Statement,
} from '@etherloom/api';
import { networkStatementSchema, statementSchema } from '@etherloom/api';
import {
  hashStatement,
  isSigned,
  readStatement,
  rosterHash,
  rosterTreeRoot,
} from '@etherloom/core';
import type { RosterEntry } from '@etherloom/core';
import { cleanText } from '../clean-text.ts';
import { CliError } from '../failure.ts';

const NO_WARNINGS: readonly string[] = [];

/** A pending statement, read and judged. */
export interface Described {
  readonly item: PendingStatement;
  readonly statement: Statement;
  /** What it says. */
  readonly title: string;
  /** How it differs from what is in force, line by line. */
  readonly lines: readonly string[];
  /** It repeats what is in force, which a rotation asks to have signed again. */
  readonly isAgain: boolean;
  /** Why it should not be signed; empty: nothing speaks against it. */
  readonly warnings: readonly string[];
}

/**
 * Describes what waits; `versions` are those of the authority, newest first. Throws CliError for a
 * list that contradicts itself.
 */
export function describePending(
  items: readonly PendingStatement[],
  versions: readonly AuthorityStatement[],
): Described[] {
  const [newest] = versions;
  if (newest === undefined) throw new TypeError('an authority has a version');
  const shown = new Set(items.map(({ statement }) => hashStatement(statement)));
  const replaced = new Set(
    items.flatMap(({ held }) => (held === null ? [] : [hashStatement(held.statement)])),
  );
  return items.map((item) => {
    const statement = readPending(item, newest);
    const held = readHeld(item, versions);
    const isAgain = item.held?.statement === item.statement;
    const described = { item, statement, isAgain, warnings: NO_WARNINGS };
    switch (statement.type) {
      case 'authority':
        return { ...described, ...describeAuthority(statement, newest) };
      case 'network':
        return { ...described, ...describeNetwork(statement, held) };
      case 'credential':
        return { ...described, ...describeCredential(statement, nameOf(item, versions), held) };
      case 'revocation':
        return { ...described, ...describeRevocation(statement, nameOf(item, versions), held) };
      case 'roster':
        return {
          ...described,
          ...describeRoster(statement, item, { name: nameOf(item, versions), shown, replaced }),
        };
      case 'renewal':
      case 'voucher':
      case 'introduction':
        throw contradiction(item, `a ${statement.type} is not signed this way`);
      default:
        throw new Error(`unexpected ${JSON.stringify(statement satisfies never)}`);
    }
  });
}

/**
 * The name of its network as the authority has signed it. Where no statement of the network is in
 * force, its id, and whose word the name is.
 */
function nameOf(item: PendingStatement, versions: readonly AuthorityStatement[]): string {
  const { network, networkId, networkName } = item;
  if (network === null)
    return cleanText(`${networkId} (called "${networkName}" by the controller alone)`);
  if (!isInForce(network, versions))
    throw contradiction(item, 'what is shown as the network in force is not signed');
  const read = readStatement(network, networkStatementSchema);
  if (!read.ok || read.statement.networkId !== networkId)
    throw contradiction(item, 'what is shown as the network in force is something else');
  return cleanText(read.statement.name);
}

function readPending(item: PendingStatement, newest: AuthorityStatement): Statement {
  if (hashStatement(item.statement) !== item.hash)
    throw contradiction(item, 'its hash is that of another text');
  const read = readStatement({ statement: item.statement, signatures: [] }, statementSchema);
  if (!read.ok) throw contradiction(item, 'it is no statement');
  const { statement } = read;
  if (statement.type !== item.kind)
    throw contradiction(item, `it is a ${statement.type}, shown as a ${item.kind}`);
  if (statement.organizationId !== newest.organizationId)
    throw contradiction(item, `it is of organization ${statement.organizationId}`);
  const networkId = 'networkId' in statement ? statement.networkId : null;
  if (networkId !== item.networkId)
    throw contradiction(item, `it is of the network ${networkId}, shown as of ${item.networkId}`);
  return statement;
}

/** What is shown as in force must be signed, and be about the same. */
function readHeld(
  item: PendingStatement,
  versions: readonly AuthorityStatement[],
): Statement | null {
  const { held } = item;
  if (held === null || item.kind === 'authority') return null;
  if (!isInForce(held, versions))
    throw contradiction(item, 'what is shown as in force in its place is not signed');
  const read = readStatement(held, statementSchema);
  if (!read.ok) throw contradiction(item, 'what is shown as in force in its place is no statement');
  const expected = item.kind === 'revocation' ? 'credential' : item.kind;
  if (read.statement.type !== expected)
    throw contradiction(item, 'what is shown as in force in its place is something else');
  return read.statement;
}

/** Signed by a version of the authority, be it one whose statements are to be signed again. */
function isInForce(signed: SignedStatement, versions: readonly AuthorityStatement[]): boolean {
  return versions.some(({ keys, threshold }) => isSigned(signed, keys, threshold));
}

function contradiction(item: PendingStatement, reason: string): CliError {
  return new CliError(
    'authority_refused',
    `the controller shows ${item.hash.slice(0, 16)}, and ${reason}: nothing was signed`,
  );
}

type Words = Pick<Described, 'title' | 'lines'> & { readonly warnings?: readonly string[] };

function describeAuthority(next: AuthorityStatement, held: AuthorityStatement): Words {
  return {
    title: `authority, version ${held.version} -> ${next.version}`,
    lines: [
      ...changeOf('keys that must sign', quorumOf(held), quorumOf(next)),
      ...differenceOf('key', held.keys, next.keys),
      ...differenceOf('recovery key', held.recoveryKeys, next.recoveryKeys),
      ...differenceOf('renewal key', held.renewalKeys, next.renewalKeys),
      ...changeOf('recovery keys needed', held.recoveryThreshold, next.recoveryThreshold),
    ],
    warnings: next.recoveryThreshold === 0 ? ['it has no recovery key: a lost key is final'] : [],
  };
}

function quorumOf({ threshold, keys }: AuthorityStatement): string {
  return `${threshold} of ${keys.length}`;
}

function differenceOf(noun: string, held: readonly string[], next: readonly string[]): string[] {
  return [
    ...held.filter((key) => !next.includes(key)).map((key) => `- ${noun} ${key}`),
    ...next.filter((key) => !held.includes(key)).map((key) => `+ ${noun} ${key}`),
  ];
}

function changeOf(what: string, held: Said, next: Said): string[] {
  const [a, b] = [held, next].map(textOf);
  return a === b ? [] : [`  ${what}: ${a} -> ${b}`];
}

type Said = string | number | readonly string[] | null | undefined;

function textOf(value: Said): string {
  if (value === null || value === undefined) return 'none';
  if (typeof value === 'string' || typeof value === 'number') return cleanText(`${value}`);
  return value.length === 0 ? 'none' : cleanText(value.join(', '));
}

function describeNetwork(next: NetworkStatement, held: Statement | null): Words {
  const title = `network ${next.name}, version ${next.version}`;
  const fieldsOf = (of: NetworkStatement): Record<string, Said> => ({
    name: of.name,
    VNI: of.vni,
    MTU: of.mtuBytes,
    'IPv4 pool': of.ipv4,
    'IPv6 pool': of.ipv6,
    clones: of.settings.clones,
    'admission of clones': of.settings.cloneAdmission,
    'staleness days': of.settings.stalenessDays,
    'post-quantum': of.settings.postQuantum,
  });
  const fields = Object.entries(fieldsOf(next));
  if (held?.type !== 'network')
    return {
      title: `${title} (it is not in force yet)`,
      lines: [
        `+ network id: ${next.networkId}`,
        ...fields.map(([name, value]) => `+ ${name}: ${textOf(value)}`),
      ],
    };
  const before = fieldsOf(held);
  return { title, lines: fields.flatMap(([name, value]) => changeOf(name, before[name], value)) };
}

const memberFields = (of: CredentialStatement): Record<string, Said> => ({
  name: of.name,
  addresses: of.addresses,
  MAC: of.mac,
  groups: of.groups,
  'signing key': of.signKey,
  'session key': of.sessionKey,
  VNI: of.vni,
});

function describeCredential(
  next: CredentialStatement,
  network: string,
  held: Statement | null,
): Words {
  const [until, renewable] = [next.expiresAt, next.renewableUntil].map((at) => at.slice(0, 10));
  const ends = `good until ${until}, renewable until ${renewable}`;
  const fields = Object.entries(memberFields(next));
  if (held?.type !== 'credential')
    return {
      title: `node ${next.name} becomes a member of ${network}`,
      lines: [
        `+ network id: ${next.networkId}`,
        `+ node id: ${next.nodeId}`,
        ...fields.map(([name, value]) => `+ ${name}: ${textOf(value)}`),
        `  ${ends}`,
      ],
    };
  const before = memberFields(held);
  return {
    title: `node ${next.name} stays a member of ${network}`,
    lines: [
      ...fields.flatMap(([name, value]) => changeOf(name, before[name], value)),
      `  network id: ${next.networkId}; ${ends}`,
    ],
    warnings:
      held.nodeId === next.nodeId ? [] : ['what is in force in its place is of another node'],
  };
}

function describeRevocation(
  next: RevocationStatement,
  network: string,
  held: Statement | null,
): Words {
  const member = held?.type === 'credential' && held.nodeId === next.nodeId ? held : null;
  return {
    title: `node ${member?.name ?? next.nodeId} ceases to be a member of ${network}`,
    lines: [
      `- node id: ${next.nodeId}`,
      `  network id: ${next.networkId}`,
      `  reason: ${textOf(next.reason)}`,
    ],
  };
}

/** Adding means nothing that is not shown here, leaving out nothing that is not ended here. */
function describeRoster(
  next: RosterStatement,
  item: PendingStatement,
  others: {
    readonly name: string;
    readonly shown: ReadonlySet<string>;
    readonly replaced: ReadonlySet<string>;
  },
): Words {
  const parts = item.roster;
  if (
    parts === null ||
    rootOf(parts.credentials) !== next.credentials ||
    rosterHash(parts.revocations) !== next.revocations ||
    parts.credentials.length !== next.memberCount ||
    parts.revocations.length !== next.revocationCount ||
    parts.network !== next.network
  )
    throw contradiction(item, 'the hashes shown with it are not those that it commits to');
  checkHeldRoster(item);
  const [credentials, heldCredentials] = [parts.credentials, parts.heldCredentials].map((list) =>
    list.map(({ hash }) => hash),
  ) as [string[], string[]]; // one for each of the two
  const held = new Set(heldCredentials);
  const added = credentials.filter((hash) => !held.has(hash));
  const nextHashes = new Set(credentials);
  const dropped = heldCredentials.filter((hash) => !nextHashes.has(hash));
  const unseen = added.filter((hash) => !others.shown.has(hash)).length;
  const unended = dropped.filter((hash) => !others.replaced.has(hash)).length;
  const revocations = new Set(parts.revocations);
  const forgotten = parts.heldRevocations.filter((hash) => !revocations.has(hash)).length;
  return {
    title: `roster of ${others.name}, version ${next.version}: ${next.memberCount} members, ${next.revocationCount} revocations`,
    lines: [
      `  network id: ${next.networkId}`,
      `  credentials: ${added.length} added or changed, ${dropped.length} ended or changed`,
      ...(forgotten === 0 ? [] : [`  revocations forgotten: ${forgotten}`]),
    ],
    warnings: [
      ...(unseen === 0 ? [] : [`it adds ${unseen} credentials that are not shown here`]),
      ...(unended === 0 ? [] : [`it leaves out ${unended} members that nothing here ends`]),
    ],
  };
}

/** A list that names a node twice has no root. */
function rootOf(entries: readonly RosterEntry[]): string | undefined {
  const nodeIds = new Set(entries.map(({ nodeId }) => nodeId));
  return nodeIds.size === entries.length ? rosterTreeRoot(entries) : undefined;
}

function checkHeldRoster(item: PendingStatement): void {
  if (item.held === null || item.roster === null) return;
  const read = readStatement(item.held, statementSchema);
  const held = read.ok && read.statement.type === 'roster' ? read.statement : null;
  const { heldCredentials, heldRevocations } = item.roster;
  if (
    held === null ||
    held.credentials !== rootOf(heldCredentials) ||
    held.revocations !== rosterHash(heldRevocations)
  )
    throw contradiction(item, 'the hashes shown as in force are not those of the roster in force');
}
