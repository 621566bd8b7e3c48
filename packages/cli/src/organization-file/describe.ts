/** A plan in words, a line a step. */
import { count, formatDuration } from '../terminal.ts';
import { named } from './plan-users.ts';
import type { JoinTokenWanted, NetworkWanted } from './schema.ts';
import type { JoinTokenStep, NetworkStep, NodeStep, Plan, ReservationStep, Step } from './step.ts';

/** A sign (+ made, ~ changed, - removed) and what is done. */
export interface Described {
  readonly sign: '+' | '~' | '-';
  readonly text: string;
}

/** A step as a line. */
export function describeStep(step: Step): Described {
  switch (step.kind) {
    case 'network.create':
    case 'network.set':
    case 'network.delete':
      return describeNetworkStep(step);
    case 'reservation.create':
    case 'reservation.delete':
      return describeReservationStep(step);
    case 'node.approve':
    case 'node.delete':
    case 'member.delete':
      return describeNodeStep(step);
    case 'user.roles':
      return {
        sign: step.roles.length === 0 ? '-' : '~',
        text: `roles of user ${step.name} (${named(step.from)} -> ${named(step.roles)})`,
      };
    case 'join_token.create':
    case 'join_token.replace':
    case 'join_token.delete':
      return describeTokenStep(step);
    default:
      return assertNever(step);
  }
}

function describeNetworkStep(step: NetworkStep): Described {
  if (step.kind === 'network.create')
    return { sign: '+', text: `network ${step.name}${describeNetwork(step.wanted)}` };
  if (step.kind === 'network.delete')
    return {
      sign: '-',
      text: `network ${step.name} (its ${step.network.memberCount} members lose it at once)`,
    };
  const said = step.differences.map(({ field, from, to }) => `${field}: ${from} -> ${to}`);
  return { sign: '~', text: `network ${step.name} (${said.join(', ')})` };
}

function describeReservationStep(step: ReservationStep): Described {
  if (step.kind === 'reservation.delete')
    return { sign: '-', text: `reservation ${step.reservation.address} in ${step.networkName}` };
  const { address, node, note } = step.wanted;
  const said = note === '' ? '' : ` (${note})`;
  const who = node === undefined ? '' : ` for node ${node}`;
  return { sign: '+', text: `reservation ${address} in ${step.networkName}${who}${said}` };
}

function describeNodeStep(step: NodeStep): Described {
  if (step.kind === 'node.approve')
    return { sign: '~', text: `node ${step.name} (a clone that waits is approved)` };
  if (step.kind === 'node.delete')
    return { sign: '-', text: `node ${step.name} (refused from then on)` };
  return { sign: '-', text: `node ${step.name} from network ${step.membership.networkName}` };
}

function describeTokenStep(step: JoinTokenStep): Described {
  const what = `join token ${step.label} in ${step.networkName}`;
  if (step.kind === 'join_token.delete')
    return { sign: '-', text: `${what} (revoked; nodes that joined with it stay)` };
  if (step.kind === 'join_token.create')
    return { sign: '+', text: `${what}${describeToken(step.wanted)}` };
  return {
    sign: '~',
    text: `${what} (replace: ${step.why}; the former is revoked)`,
  };
}

function describeToken({ uses, lifetimeSeconds, offlineOk }: JoinTokenWanted): string {
  const said = [
    ...(uses === undefined ? [] : [count(uses, 'use')]),
    ...(lifetimeSeconds === undefined ? [] : [formatDuration(lifetimeSeconds * 1_000)]),
    ...(offlineOk === true ? ['also good without a controller'] : []),
  ];
  return said.length === 0 ? '' : ` (${said.join(', ')})`;
}

/** "2 to make, 1 to change, 3 to remove". */
export function describeCounts({ steps }: Plan): string {
  const signs = steps.map((step) => describeStep(step).sign);
  const countOf = (sign: string) => signs.filter((one) => one === sign).length;
  return `${countOf('+')} to make, ${countOf('~')} to change, ${countOf('-')} to remove`;
}

function describeNetwork({ ipv4, ipv6, mtuBytes }: NetworkWanted): string {
  const said = [
    ...(ipv4 === undefined ? [] : [`IPv4 ${ipv4 ?? 'none'}`]),
    ...(ipv6 === undefined ? [] : [`IPv6 ${ipv6 ?? 'none'}`]),
    ...(mtuBytes === undefined ? [] : [`MTU ${mtuBytes}`]),
  ];
  return said.length === 0 ? '' : ` (${said.join(', ')})`;
}

function assertNever(value: never): never {
  throw new Error(`unexpected ${JSON.stringify(value)}`);
}
