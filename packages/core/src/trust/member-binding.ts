/** What a credential binds to a node, compared with what the state says of it. */
import type { CredentialStatement, Member } from '@etherloom/api';
import { parseIp } from '../network-state/addresses.ts';

/** Says what differs; undefined: nothing does. */
export function compareBinding(
  member: Member,
  credential: CredentialStatement,
  vni: number,
): string | undefined {
  const pairs: readonly [what: string, given: unknown, signed: unknown][] = [
    ['node id', member.nodeId, credential.nodeId],
    ['name', member.name, credential.name],
    ['signing key', member.signKey, credential.signKey],
    ['session key', member.sessionKey, credential.sessionKey],
    ['MAC', member.mac, credential.mac],
    ['addresses', member.addresses.join(' '), credential.addresses.join(' ')],
    ['VNI', vni, credential.vni],
  ];
  const pair = pairs.find(([, given, signed]) => given !== signed);
  if (pair === undefined) return undefined;
  return `the ${pair[0]} of ${member.name} is given as ${String(pair[1])} and signed as ${String(pair[2])}`;
}

/** Everything of a member that nobody else may have, for messages and as keys. */
export function bindingsOf({
  nodeId,
  signKey,
  sessionKey,
  mac,
  addresses,
}: Omit<Member, 'endpoints' | 'endpointRecord'>): string[] {
  return [
    `node id ${nodeId}`,
    `signing key ${signKey}`,
    `session key ${sessionKey}`,
    `MAC ${mac}`,
    // IPv6 has many texts for one address.
    ...addresses.map((text) => `address ${parseIp(text)?.join('.') ?? text}`),
  ];
}

/** Names what two members both have; undefined: everything has one holder. */
export function firstRepeatedBinding(members: readonly Member[]): string | undefined {
  const holders = new Map<string, string>();
  for (const member of members) {
    for (const binding of bindingsOf(member)) {
      const holder = holders.get(binding);
      if (holder !== undefined) return `${holder} and ${member.name} both have the ${binding}`;
      holders.set(binding, member.name);
    }
  }
  return undefined;
}
