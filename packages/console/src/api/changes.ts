/**
 * Which readings a change makes stale. Readings are kept under the name of their route; an event of
 * the watch stream names the noun that changed.
 */

/** First words of route names that show something of a noun. */
const READERS: Readonly<Record<string, readonly string[]>> = {
  network: ['network', 'member', 'reservation', 'node', 'token', 'audit', 'ledger', 'authority'],
  member: ['network', 'member', 'node', 'audit', 'ledger', 'authority'],
  membership: ['network', 'member', 'node', 'audit', 'ledger', 'authority'],
  reservation: ['reservation', 'audit', 'ledger'],
  node: ['node', 'member', 'network', 'report', 'audit', 'ledger', 'authority'],
  join_token: ['token', 'joinToken', 'audit', 'ledger'],
  token: ['token', 'joinToken', 'audit', 'ledger'],
  api_token: ['apiToken', 'audit', 'ledger'],
  user: ['user', 'role', 'session', 'audit', 'ledger'],
  role: ['user', 'role', 'session', 'audit', 'ledger'],
  identity_provider: ['identityProvider', 'audit', 'ledger'],
  group: ['group', 'node', 'audit', 'ledger'],
  authority: ['authority', 'audit', 'ledger'],
  organization: ['organization', 'session', 'audit', 'ledger'],
};

/** Routes whose replies hold what a link or a report says. */
const LIVE = ['node', 'report', 'network', 'member'];

/** Whether a reading, kept under a route's name, may differ after a change of a noun. */
export function isStaleAfter(routeName: string, noun: string): boolean {
  const readers = READERS[noun];
  return readers === undefined || readers.some((word) => routeName.startsWith(word));
}

/** Whether a reading may differ after a node connected, disconnected or reported. */
export function isStaleAfterReport(routeName: string): boolean {
  return LIVE.some((word) => routeName.startsWith(word));
}
