/** What a command works with: where it prints, and how it reaches the controller and the agent. */
import type { CallReply, Client } from '@etherloom/api';
import { createClient } from '@etherloom/api';
import { createPinnedSender } from '@etherloom/transport';
import type { AgentAccess } from './agent-access.ts';
import { createAgentAccess } from './agent-access.ts';
import { cleanTexts } from './clean-text.ts';
import { CONTROLLER_TIMEOUT_MS } from './limits.ts';
import { resolveLogin } from './login-file.ts';
import type { Palette } from './terminal.ts';
import { choosePalette } from './terminal.ts';

export interface Context {
  readonly isJson: boolean;
  readonly palette: Palette;
  /** Prints to standard output. */
  readonly print: (text: string) => void;
  /** Prints to standard error: what is no result. */
  readonly note: (text: string) => void;
  /** Prints the result: the object with --json, else the text. */
  readonly show: (object: unknown, text: () => string) => void;
}

/** Context of this process. */
export function createContext(options: { readonly json?: boolean | undefined }): Context {
  const isJson = options.json === true;
  const print = (text: string): void => void process.stdout.write(`${text}\n`);
  return {
    isJson,
    palette: choosePalette(process.stdout.isTTY, process.env),
    print,
    note: (text) => void process.stderr.write(`${text}\n`),
    show: (object, text) => print(isJson ? JSON.stringify(object, null, 2) : text()),
  };
}

let organization: string | undefined;

/** Names the organization of this command's calls; undefined: the only one of whoever asks. */
export function setOrganization(name: string | undefined): void {
  organization = name;
}

/** The organization that was named; undefined: none was. */
export function namedOrganization(): string | undefined {
  return organization;
}

/** The organization that a path names where none is given. */
export function organizationMeant(): string {
  return organization ?? 'default';
}

/** Client of the controller that the user is logged in to. */
export async function openController(): Promise<Client> {
  const login = await resolveLogin(process.env);
  const send = createPinnedSender({
    tlsFingerprint: login.tlsFingerprint,
    timeoutMs: CONTROLLER_TIMEOUT_MS,
  });
  const client = createClient({
    baseUrl: login.url,
    send,
    token: login.token,
    ...(organization === undefined ? {} : { organization }),
  });
  return {
    call: async (name, ...args) =>
      cleanTexts(await client.call(name, ...args)) as CallReply<typeof name>, // its own shape
    exchange: async (name, ...args) => {
      const { reply, ...headers } = await client.exchange(name, ...args);
      return { ...headers, reply: cleanTexts(reply) as CallReply<typeof name> }; // as above
    },
  };
}

/** The agent of this host. */
export function openAgent(options: { readonly socket?: string | undefined }): AgentAccess {
  return createAgentAccess(options.socket, process.env);
}
