/** Handlers: nodes. */
import type { NODE_ROUTES, Node } from '@etherloom/api';
import { approveNode } from '../../store/clones.ts';
import { listNodes, removeNode, showNode } from '../../store/nodes.ts';
import type { HandlerDeps, HandlersOf } from '../call.ts';

export function nodeHandlers(deps: HandlerDeps): HandlersOf<keyof typeof NODE_ROUTES> {
  return {
    nodeList: async ({ transact, query }) => {
      const { items, next } = await transact((tx) => listNodes(tx, query));
      return { items: items.map((node) => ({ ...node, ...liveOf(deps, node.id) })), next };
    },
    nodeShow: async ({ transact, param }) => {
      const node = await transact((tx) => showNode(tx, param('node')));
      return { ...node, ...liveOf(deps, node.id) };
    },
    nodeDelete: async ({ transact, param }) =>
      void (await transact((tx) => removeNode(tx, param('node')))),
    nodeApprove: async ({ transact, param }) => {
      const nodeId = await transact((tx) => approveNode(tx, param('node')));
      const node = await transact((tx) => showNode(tx, nodeId));
      return { ...node, ...liveOf(deps, node.id) };
    },
  };
}

/** What is known of a node by its link alone. */
function liveOf(deps: HandlerDeps, nodeId: string): Pick<Node, 'connected' | 'problems'> {
  return {
    connected: deps.isConnected(nodeId),
    problems: deps.problemsOf(nodeId).map(({ networkId, code, message }) => ({
      networkId,
      code,
      message,
    })),
  };
}
