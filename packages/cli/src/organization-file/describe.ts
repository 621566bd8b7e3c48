/** A plan in words, a line a step. */
import type { NetworkWanted } from './schema.ts';
import type { Plan, Step } from './plan.ts';

/** A step as a line: a sign (+ made, ~ changed, - removed) and what it does. */
export function describeStep(step: Step): {
  readonly sign: '+' | '~' | '-';
  readonly text: string;
} {
  switch (step.kind) {
    case 'network.create':
      return { sign: '+', text: `network ${step.name}${describeNetwork(step.wanted)}` };
    case 'network.set': {
      const said = step.differences.map(({ field, from, to }) => `${field}: ${from} -> ${to}`);
      return { sign: '~', text: `network ${step.name} (${said.join(', ')})` };
    }
    case 'network.delete':
      return {
        sign: '-',
        text: `network ${step.name} (its ${step.network.memberCount} members lose it at once)`,
      };
    case 'reservation.create': {
      const { address, node, note } = step.wanted;
      const said = note === '' ? '' : ` (${note})`;
      const who = node === undefined ? '' : ` for node ${node}`;
      return {
        sign: '+',
        text: `reservation ${address} in ${step.networkName}${who}${said}`,
      };
    }
    case 'reservation.delete':
      return {
        sign: '-',
        text: `reservation ${step.reservation.address} in ${step.networkName}`,
      };
    case 'node.approve':
      return { sign: '~', text: `node ${step.name} (a clone that waits is approved)` };
    case 'node.delete':
      return { sign: '-', text: `node ${step.name} (refused from then on)` };
    case 'member.delete':
      return { sign: '-', text: `node ${step.name} from network ${step.membership.networkName}` };
    default:
      return assertNever(step);
  }
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
