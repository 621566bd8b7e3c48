/** Moves a checked TCP stream between two hosts of the overlay. */
import { fileURLToPath } from 'node:url';
import { CHECKOUT, readTail, waitFor, type Namespace, type World } from '@etherloom/lab';

const STREAM = fileURLToPath(new URL('tools/stream.ts', import.meta.url));

/** An agent, or any other host. */
interface StreamEnd {
  readonly label: string;
  readonly namespace: Namespace;
}

export interface StreamReport {
  readonly bytes: number;
  readonly sha256: string;
}

export async function moveStream(
  world: World,
  route: {
    readonly from: StreamEnd;
    readonly to: StreamEnd;
    readonly address: string;
    readonly port: number;
  },
  bytes: number,
): Promise<{ readonly sent: StreamReport; readonly received: StreamReport }> {
  const { from, to, address, port } = route;
  const receiver = await world.spawn({
    label: `stream-${to.label}-${port}`,
    namespace: to.namespace,
    argv: [CHECKOUT.node, STREAM, 'receive', address, String(port)],
  });
  const logs = [receiver.outputPath, receiver.logPath];
  await waitFor(
    'the stream receiver to listen',
    () => readTail(receiver.outputPath).includes('ready'),
    { logs },
  );
  const { stdout } = await world.exec(
    from.namespace,
    [CHECKOUT.node, STREAM, 'send', address, String(port), String(bytes), String(port)],
    { timeoutMs: 120_000 },
  );
  await receiver.exited;
  return { sent: parseReport(stdout), received: parseReport(readTail(receiver.outputPath)) };
}

function parseReport(text: string): StreamReport {
  // written by tools/stream.ts
  return JSON.parse(text.trim().split('\n').at(-1) ?? '') as StreamReport;
}
