/**
 * Join tokens by their labels. One that is there stays as long as the file says what it was made
 * with, also when it is used up or expired: else each apply would open the network again.
 */
import type { JoinTokenRow, Network, Tagged } from '@etherloom/api';
import type { Actual } from './actual.ts';
import type { JoinTokenWanted, NetworkWanted } from './schema.ts';
import type { Draft, PlanOptions } from './step.ts';

/** Adds the steps of one network. */
export function planJoinTokens(
  draft: Draft,
  given: {
    readonly name: string;
    readonly wanted: NetworkWanted;
    readonly held: Tagged<Network> | undefined;
    readonly actual: Actual;
    readonly options: PlanOptions;
  },
): void {
  const { name: networkName, wanted, held, actual, options } = given;
  if (wanted.joinTokens === undefined) return;
  const there = held === undefined ? [] : (actual.joinTokens?.get(held.item.id) ?? []);
  const byLabel = new Map(there.map((token) => [token.item.label, token]));
  for (const [label, declared] of Object.entries(wanted.joinTokens)) {
    const same = byLabel.get(label);
    const step = { networkName, label, wanted: declared };
    if (same === undefined) {
      draft.steps.push({ kind: 'join_token.create', ...step });
      continue;
    }
    const over = overness(same.item, actual.nowMs);
    const why = differencesOf(declared, same.item) ?? (options.isRenewing ? over : null);
    if (why !== null)
      draft.steps.push({
        kind: 'join_token.replace',
        ...step,
        token: same.item,
        etag: same.etag,
        why,
      });
    else if (over !== null)
      draft.notes.push(
        `join token "${label}" in network "${networkName}" ${over}: --renew-tokens makes another in its place`,
      );
  }
  if (!options.isPruning) return;
  for (const { item, etag } of there)
    if (item.label !== null && wanted.joinTokens[item.label] === undefined)
      draft.steps.push({
        kind: 'join_token.delete',
        networkName,
        label: item.label,
        token: item,
        etag,
      });
}

/** Seconds that a token was made for. */
export function lifetimeSecondsOf({ createdAt, expiresAt }: JoinTokenRow): number {
  return Math.round((Date.parse(expiresAt) - Date.parse(createdAt)) / 1_000);
}

/** What differs, in words; null: nothing that the file says. */
function differencesOf(wanted: JoinTokenWanted, held: JoinTokenRow): string | null {
  const fields = [
    ['uses', held.uses, wanted.uses],
    ['lifetimeSeconds', lifetimeSecondsOf(held), wanted.lifetimeSeconds],
    ['offlineOk', held.offlineOk, wanted.offlineOk],
  ] as const;
  const said = fields
    .filter(([, from, to]) => to !== undefined && to !== from)
    .map(([field, from, to]) => `${field}: ${from} -> ${to}`);
  return said.length === 0 ? null : said.join(', ');
}

/** Why nobody can join with it any more; null: somebody can. */
function overness({ usesLeft, expiresAt }: JoinTokenRow, nowMs: number): string | null {
  if (usesLeft === 0) return 'is used up';
  return Date.parse(expiresAt) <= nowMs ? 'has expired' : null;
}
