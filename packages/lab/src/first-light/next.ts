/**
 * What to try next: small programs in the world's directory (`east1 COMMAND` runs something on that
 * host, `loom` is the
 * administrator), and the text that names them. Every printed line works by itself, from any
 * terminal of root.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CHECKOUT } from '../checkout.ts';
import type { LabController } from '../controller.ts';
import type { World } from '../world.ts';
import type { Screen } from './screen.ts';
import type { DemoHost, Stage } from './stage.ts';

/** Writes the programs. */
export function writePrograms(
  world: World,
  controller: LabController,
  hosts: readonly DemoHost[],
): void {
  const path = `PATH=${quote(CHECKOUT.root)}:"$PATH"`;
  for (const host of hosts) {
    const environment = `env LOOM_SOCKET=${quote(host.agent.socketPath)} ${path}`;
    writeProgram(world, host.name, `exec ip netns exec ${host.namespace.name} ${environment} "$@"`);
  }
  const login = [
    `LOOM_URL=${controller.localUrl}`,
    `LOOM_TLS_FINGERPRINT=${controller.tlsFingerprint}`,
    `LOOM_TOKEN=$(cat ${quote(controller.adminTokenPath)})`,
    'export LOOM_URL LOOM_TLS_FINGERPRINT LOOM_TOKEN',
  ];
  writeProgram(world, 'loom', [...login, `exec ${quote(CHECKOUT.loom)} "$@"`].join('\n'));
}

/** Prints what to try. */
export function printNext(screen: Screen, stage: Stage): void {
  const { world, controller, hosts } = stage;
  const [first, , last] = hosts ?? [];
  if (controller === undefined || first === undefined || last === undefined) return;
  const own = world.directory;
  const lines: readonly (readonly [string, string])[] = [
    [`${own}/east1 loom status`, 'what a host knows'],
    [`${own}/east1 loom peers`, 'who it talks to, and how'],
    [`${own}/east1 loom neighbours`, 'what answers ARP and ND'],
    [`${own}/east1 loom ping west1`, 'through the session'],
    [`${own}/east1 ping -c 4 ${last.ipv4}`, 'through the network'],
    [`${own}/loom network show demo`, 'as the administrator'],
    [`${own}/loom node list`, ''],
    [`${own}/loom token create --network demo`, 'a token for one more host'],
  ];
  const width = Math.max(...lines.map(([command]) => command.length));
  screen.line();
  screen.title('Try in another terminal:');
  for (const [command, what] of lines) screen.line(`  ${command.padEnd(width)}  ${what}`.trimEnd());
  screen.line();
  screen.line(`  Console        ${controller.localUrl}/${setupHint(controller)}`);
  screen.line(`  The API        ${controller.localUrl}/v1/health`);
  screen.line(`  Documentation  ${controller.localUrl}/docs   (its certificate is self-signed)`);
  screen.line(`  Logs           ${world.logDirectory}`);
  screen.line();
  screen.line('  Without the small programs:');
  screen.line(`  LOOM_SOCKET=${first.agent.socketPath} ${CHECKOUT.loom} peers`);
  screen.line(`  ip netns exec ${first.namespace.name} ping -c 4 ${last.ipv4}`);
  screen.line();
}

/** The code that makes the first user, while there is none. */
function setupHint({ dataDirectory }: LabController): string {
  const path = join(dataDirectory, 'setup.code');
  return existsSync(path) ? `   (set-up code: ${readFileSync(path, 'utf8').trim()})` : '';
}

function writeProgram(world: World, name: string, body: string): void {
  const path = programPath(world, name);
  writeFileSync(path, `#!/bin/sh\nset -eu\n${body}\n`, { mode: 0o700, flag: 'wx' });
}

function programPath(world: World, name: string): string {
  return join(world.directory, name);
}

function quote(text: string): string {
  return /^[A-Za-z0-9_./:-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
