/** Entries of the ledger in words: `network.create` becomes "created the network blue". */
import type { LedgerEntry } from '@etherloom/api';

/** What of an entry its words are made of. */
export type WordedEntry = Pick<LedgerEntry, 'action' | 'actor' | 'target' | 'before' | 'after'>;

/** Actions that are no plain verb; `name` is that of the target. */
const SENTENCES: Readonly<Record<string, (name: string, entry: WordedEntry) => string>> = {
  'session.create': () => 'logged in',
  'session.delete': () => 'logged out',
  'member.join': (name, entry) =>
    entry.actor.kind === 'node'
      ? `joined ${networkOf(entry)}`
      : `let ${name} into ${networkOf(entry)}`,
  'member.leave': (name, entry) =>
    entry.actor.kind === 'node'
      ? `left ${networkOf(entry)}`
      : `took ${name} out of ${networkOf(entry)}`,
  'member.delete': (name, entry) => `removed ${name} from ${networkOf(entry)}`,
  'network.settings': (name) => `changed the rules of the network ${name}`,
  'node.approve': (name) => `approved the node ${name}`,
  'node.split': (name) => `made the copy ${name} a node of its own`,
  'node.replace': (name) => `let a copy take the place of the node ${name}`,
  'user.roles': (name) => `changed the roles of ${name}`,
  'user.password': (name) => `set the password of ${name}`,
  'user.system': (name) => `changed whether ${name} is a system administrator`,
  'authority.version': () => 'put a version of the authority in force',
  'ledger.open': () => 'opened the ledger',
  'ledger.retention': () => 'changed how long the ledger keeps entries',
};

const PAST: Readonly<Record<string, string>> = {
  create: 'created',
  delete: 'deleted',
  remove: 'removed',
  revoke: 'revoked',
  change: 'changed',
  rename: 'renamed',
};

/** The name of the network of a membership. */
function networkOf({ before, after }: WordedEntry): string {
  const name = (after ?? before)?.['networkName'];
  return typeof name === 'string' ? name : 'its network';
}

/** What happened, without who did it. */
export function describeAction(entry: WordedEntry): string {
  const name = entry.target.name ?? entry.target.id;
  const sentence = SENTENCES[entry.action];
  if (sentence !== undefined) return sentence(name, entry);
  const [noun = '', ...rest] = entry.action.split('.');
  const verb = rest.join(' ');
  const thing = noun.replaceAll('_', ' ');
  const past = PAST[verb];
  if (past !== undefined) return `${past} the ${thing} ${name}`;
  return `${thing} ${name}: ${verb.replaceAll('_', ' ')}`;
}

/** Where what was changed is shown; null: nowhere. */
export function linkOf(entry: Pick<LedgerEntry, 'target' | 'after'>): string | null {
  const { noun, name } = entry.target;
  if (entry.after === null || name === null) return null;
  if (noun === 'network') return `/networks/${encodeURIComponent(name)}`;
  if (noun === 'node' || noun === 'member') return `/nodes/${encodeURIComponent(name)}`;
  return null;
}

/** Who did it, as a person calls it. */
export function describeActor(actor: LedgerEntry['actor']): string {
  switch (actor.kind) {
    case 'controller':
      return 'the controller';
    case 'bootstrap':
      return 'admin.token';
    case 'user':
      return actor.name;
    case 'api_token':
      return `API token ${actor.name}`;
    case 'node':
      return `node ${actor.name}`;
  }
}
