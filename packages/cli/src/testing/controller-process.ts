/** For tests: a real controller as a process, the real `loom` against it, and hosts that join. */
import type { ChildProcess } from 'node:child_process';
import { execFile, spawn } from 'node:child_process';
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Client } from '@etherloom/api';
import { createClient, decodeJoinToken, joinSigningText, toBase64url } from '@etherloom/api';
import { createPinnedSender } from '@etherloom/transport';

/** The program. */
export const LOOM = join(import.meta.dirname, '../../../../loom');

export interface Run {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Environment of a command. */
export type Environment = Readonly<Record<string, string | undefined>>;

export interface ControllerProcess {
  readonly directory: string;
  readonly url: string;
  readonly tlsFingerprint: string;
  readonly adminTokenFile: string;
  /** Environment that is logged in nowhere. */
  readonly bare: Environment;
  /** What logs in with admin.token. */
  readonly login: Environment;
  /** The two together. */
  readonly admin: Environment;
  /** Writes a file, and gives its path. */
  readonly write: (name: string, text: string) => string;
  /** Runs a command to its end; `input` is its standard input. */
  readonly loom: (args: readonly string[], env?: Environment, input?: string) => Promise<Run>;
  /** Starts a command. */
  readonly start: (args: readonly string[]) => ChildProcess;
  /** Client of whoever has this token; default: that of admin.token. */
  readonly client: (token?: string) => Client;
  readonly stop: () => Promise<void>;
}

/** Starts one with an empty directory. */
export async function startController(): Promise<ControllerProcess> {
  const directory = mkdtempSync(join(tmpdir(), 'loom-cli-controller-'));
  const data = join(directory, 'data');
  const child = spawn(LOOM, ['controller', '--data', data, '--listen', '127.0.0.1:0', '--json'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ready = JSON.parse(await firstLine(child)) as Record<string, string>; // the ready line
  const { url = '', tlsFingerprint = '', adminTokenFile = '' } = ready;
  const adminToken = readFileSync(adminTokenFile, 'utf8').trim();
  const login = { LOOM_URL: url, LOOM_TLS_FINGERPRINT: tlsFingerprint, LOOM_TOKEN: adminToken };
  const bare = { PATH: process.env['PATH'], HOME: directory, XDG_CONFIG_HOME: directory };
  const admin = { ...bare, ...login };
  return {
    directory,
    url,
    tlsFingerprint,
    adminTokenFile,
    bare,
    login,
    admin,
    write: (name, text) => {
      const path = join(directory, name);
      writeFileSync(path, text);
      return path;
    },
    loom: (args, env = {}, input = '') => runLoom(args, { ...admin, ...env }, input),
    start: (args) => spawn(LOOM, args, { env: admin, stdio: ['ignore', 'pipe', 'ignore'] }),
    client: (token = adminToken) =>
      createClient({
        baseUrl: url,
        send: createPinnedSender({ tlsFingerprint, timeoutMs: 10_000 }),
        token,
      }),
    stop: async () => {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await ended;
      rmSync(directory, { recursive: true });
    },
  };
}

/** Runs a command to its end in an environment that is all of its own. */
export function runLoom(args: readonly string[], env: Environment, input = ''): Promise<Run> {
  return new Promise((resolve) => {
    const child = execFile(LOOM, [...args], { env }, (error, stdout, stderr) =>
      resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
    child.stdin?.on('error', () => {}); // a command that reads nothing may be gone by then
    child.stdin?.end(input);
  });
}

/** First line of what a process prints that `isMeant`. */
export async function firstLine(
  child: ChildProcess,
  isMeant: (line: string) => boolean = () => true,
): Promise<string> {
  if (child.stdout === null) throw new TypeError('the child has no pipe');
  for await (const line of createInterface({ input: child.stdout })) if (isMeant(line)) return line;
  throw new Error('the process ended before it printed the line');
}

/** Registers a host with a join token, as an agent does; gives its node id. */
export async function joinHost(client: Client, token: string, name: string): Promise<string> {
  const signing = generateKeyPairSync('ed25519');
  const session = generateKeyPairSync('x25519');
  const { tokenId, secret, networkName } = decodeJoinToken(token);
  const unsigned = {
    tokenId,
    network: networkName,
    secret,
    nodeId: randomBytes(16).toString('hex'),
    name,
    nameIsSuggestion: false,
    signKey: signing.publicKey.export({ format: 'jwk' }).x ?? '',
    sessionKey: session.publicKey.export({ format: 'jwk' }).x ?? '',
  };
  const bytes = sign(null, Buffer.from(joinSigningText(unsigned)), signing.privateKey);
  await client.call('join', { body: { ...unsigned, signature: toBase64url(bytes) } });
  return unsigned.nodeId;
}
