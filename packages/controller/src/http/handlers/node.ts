/** Handlers: nodes. */
import type { NODE_ROUTES, Node, NodeCounts } from '@etherloom/api';
import { approveNode } from '../../store/clones.ts';
import { listNodes, readNodeStates } from '../../store/node-list.ts';
import { removeNode, showNode } from '../../store/nodes.ts';
import type { HandlerDeps, HandlersOf } from '../call.ts';

export function nodeHandlers(deps: HandlerDeps): HandlersOf<keyof typeof NODE_ROUTES> {
  return {
    nodeList: async ({ transact, query }) => {
      const given = { ...query, isWanted: liveFilter(deps, query) };
      const { items, next } = await transact((tx) => listNodes(tx, given));
      const shown = items.map(async (node) => ({ ...node, ...(await liveOf(deps, node.id)) }));
      return { items: await Promise.all(shown), next };
    },
    nodeCounts: async ({ transact, query }) =>
      countStates(deps, await transact((tx) => readNodeStates(tx, query))),
    nodeShow: async ({ transact, param }) => {
      const node = await transact((tx) => showNode(tx, param('node')));
      return { ...node, ...(await liveOf(deps, node.id)) };
    },
    nodeDelete: async ({ transact, param }) =>
      void (await transact((tx) => removeNode(tx, param('node')))),
    nodeApprove: async ({ transact, param }) => {
      const nodeId = await transact((tx) => approveNode(tx, param('node')));
      const node = await transact((tx) => showNode(tx, nodeId));
      return { ...node, ...(await liveOf(deps, node.id)) };
    },
  };
}

/** What a list asks of links; undefined: nothing. */
function liveFilter(
  deps: HandlerDeps,
  {
    connected,
    hasProblems,
  }: { connected?: boolean | undefined; hasProblems?: boolean | undefined },
): ((nodeId: string) => boolean) | undefined {
  if (connected === undefined && hasProblems === undefined) return undefined;
  return (nodeId) =>
    (connected === undefined || deps.isConnected(nodeId) === connected) &&
    (hasProblems === undefined || deps.hasProblems(nodeId) === hasProblems);
}

function countStates(deps: HandlerDeps, rows: readonly Pick<Node, 'id' | 'state'>[]): NodeCounts {
  const count = (is: (row: Pick<Node, 'id' | 'state'>) => boolean): number =>
    rows.reduce((sum, row) => sum + Number(is(row)), 0);
  const online = count(({ id }) => deps.isConnected(id));
  return {
    total: rows.length,
    online,
    offline: rows.length - online,
    pending: count(({ state }) => state === 'pending'),
    withProblems: count(({ id }) => deps.hasProblems(id)),
  };
}

/** What is known of a node by its link alone. */
async function liveOf(
  deps: HandlerDeps,
  nodeId: string,
): Promise<Pick<Node, 'connected' | 'problems'>> {
  const problems = await deps.problemsOf(nodeId);
  return {
    connected: deps.isConnected(nodeId),
    problems: problems.map(({ networkId, code, message }) => ({ networkId, code, message })),
  };
}
