/**
 * The liar of lying-controller.ts as a program, in front of a controller of a world. What it should
 * do comes over the IPC channel of the process; see LiarOrder.
 *
 *   node lying-controller-main.ts DATA-DIRECTORY URL FINGERPRINT HOST PORT
 */
import type { ControllerMessage } from '@etherloom/api';
import { LyingController } from './lying-controller.ts';

/** What a test asks of the liar. */
export type LiarOrder =
  | { readonly order: 'say'; readonly nodeId: string; readonly message: ControllerMessage }
  /** In place of every welcome. */
  | { readonly order: 'answer'; readonly message: ControllerMessage }
  /** Every welcome names a time so far from the true one. */
  | { readonly order: 'time'; readonly fromNowMs: number }
  /** Says nothing at all to a node. */
  | { readonly order: 'silence'; readonly nodeId: string }
  | { readonly order: 'honest' }
  | { readonly order: 'drop' };

const [dataDirectory = '', url = '', tlsFingerprint = '', host = '', port = ''] =
  process.argv.slice(2);
const listen = { host, port: Number(port) };
const liar = await LyingController.start({ dataDirectory, url, tlsFingerprint, listen });

process.on('message', (given) => obey(given as LiarOrder)); // of the test that started this
process.on('disconnect', () => process.exit(0));
process.send?.('ready');

function obey(given: LiarOrder): void {
  switch (given.order) {
    case 'say':
      liar.say(given.nodeId, given.message);
      return;
    case 'answer':
      liar.lie = (message) => [message.type === 'welcome' ? given.message : message];
      return;
    case 'time':
      liar.lie = (message) => [
        message.type === 'welcome'
          ? { ...message, time: new Date(Date.now() + given.fromNowMs).toISOString() }
          : message,
      ];
      return;
    case 'silence':
      liar.lie = (message, nodeId) => (nodeId === given.nodeId ? [] : [message]);
      return;
    case 'honest':
      liar.beHonest();
      return;
    case 'drop':
      liar.dropLinks();
      return;
    default:
      throw new Error(`unexpected ${JSON.stringify(given satisfies never)}`);
  }
}
