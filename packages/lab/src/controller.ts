/** A controller in a namespace, and a client for it that works from outside of the namespace. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from '@etherloom/api';
import { createClient } from '@etherloom/api';
import { createPinnedSender } from '@etherloom/transport';
import type { Background } from './background.ts';
import { CHECKOUT } from './checkout.ts';
import { START_DEADLINE_MS } from './limits.ts';
import { readTail } from './log-tail.ts';
import type { Namespace } from './namespaces.ts';
import { startRelay } from './relay-start.ts';
import { GiveUp, waitFor } from './wait.ts';
import type { World } from './world.ts';

export interface ControllerOptions {
  readonly namespace: Namespace;
  /** Address and port as the namespace sees them; `203.0.113.10:8443` or `[2001:db8::10]:8443`. */
  readonly listen: string;
  /**
   * An existing one restarts that controller; default: a directory of the world named by `label`.
   */
  readonly dataDirectory?: string;
  readonly label?: string;
  /** Starts it with --restored. */
  readonly isRestored?: boolean;
  /** Further arguments of the program. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string | undefined>>;
}

export interface LabController {
  /** As agents reach it. */
  readonly url: string;
  /** As the machine itself reaches it, through a relay on 127.0.0.1. */
  readonly localUrl: string;
  readonly tlsFingerprint: string;
  readonly adminToken: string;
  readonly adminTokenPath: string;
  readonly dataDirectory: string;
  /** Authenticated with the admin token; to be used from this process. */
  readonly client: Client;
  readonly process: Background;
}

/** Starts a controller and waits until it serves. */
export async function startController(
  world: World,
  options: ControllerOptions,
): Promise<LabController> {
  const label = options.label ?? 'controller';
  const dataDirectory = options.dataDirectory ?? join(world.directory, 'state', label);
  const program = [CHECKOUT.node, CHECKOUT.controllerMain, '--data', dataDirectory];
  const running = await world.spawn({
    label,
    namespace: options.namespace,
    argv: [
      ...program,
      '--listen',
      options.listen,
      ...(options.isRestored === true ? ['--restored'] : []),
      ...(options.args ?? []),
      '--json',
    ],
    ...(options.env === undefined ? {} : { env: options.env }),
  });
  const waiting = {
    deadlineMs: START_DEADLINE_MS,
    logs: [running.outputPath, running.logPath],
    ...(world.signal === undefined ? {} : { signal: world.signal }),
  };
  const look = (): Ready | null => {
    assertStarting(running);
    return readReadyLine(running.outputPath);
  };
  const ready = await waitFor(`${label} to serve at ${options.listen}`, look, waiting);
  const { hostname, port } = new URL(ready.url);
  const localPort = await startRelay(world, {
    namespace: options.namespace,
    host: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port),
    label: `${label}-relay`,
  });
  const localUrl = `https://127.0.0.1:${localPort}`;
  const adminToken = readFileSync(ready.adminTokenFile, 'utf8').trim();
  const send = createPinnedSender({
    tlsFingerprint: ready.tlsFingerprint,
    timeoutMs: START_DEADLINE_MS,
  });
  const client = createClient({ baseUrl: localUrl, send, token: adminToken });
  await waitFor(`${label} to answer over ${localUrl}`, () => client.call('health'), waiting);
  return {
    url: ready.url,
    localUrl,
    tlsFingerprint: ready.tlsFingerprint,
    adminToken,
    adminTokenPath: ready.adminTokenFile,
    dataDirectory,
    client,
    process: running,
  };
}

/** Stops waiting for a program that has ended. */
export function assertStarting(running: Background): void {
  try {
    running.assertRunning();
  } catch (error) {
    throw new GiveUp(error as Error); // assertRunning throws LabError alone
  }
}

interface Ready {
  readonly url: string;
  readonly tlsFingerprint: string;
  readonly adminTokenFile: string;
}

/** The line that the controller prints when it serves; null before. */
function readReadyLine(path: string): Ready | null {
  const line = readTail(path)
    .split('\n')
    .find((text) => text.startsWith('{') && text.endsWith('}'));
  if (line === undefined) return null;
  const value: unknown = JSON.parse(line);
  return isReady(value) ? value : null;
}

function isReady(value: unknown): value is Ready {
  if (typeof value !== 'object' || value === null) return false;
  const { url, tlsFingerprint, adminTokenFile } = value as Record<string, unknown>; // checked
  return [url, tlsFingerprint, adminTokenFile].every((text) => typeof text === 'string');
}
