/**
 * A world: network namespaces, links between them and processes in them, made for one run and
 * removed after it.
 *
 * Every name starts with the run's random name, so that worlds do not meet; everything is written
 * into the run's manifest before it
 * is made, so that the next run removes it when this one is killed; the undo of each step is
 * registered with the step. Nothing is
 * made in the machine's own network namespace.
 */
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Background } from './background.ts';
import { startBackground } from './background.ts';
import type { CommandOptions, CommandResult } from './command.ts';
import { runCommand, tryCommand } from './command.ts';
import { LabError } from './lab-error.ts';
import type { LinkEnd } from './links.ts';
import { addBridge, addLink, replaceAddresses } from './links.ts';
import { RunRecord } from './manifest.ts';
import type { Namespace } from './namespaces.ts';
import {
  RUN_VARIABLE,
  deleteNamespace,
  enter,
  makeNamespace,
  namespaceExists,
  writeSysctls,
} from './namespaces.ts';
import { endProcesses } from './process-identity.ts';
import { cleanStaleWorlds } from './stale-worlds.ts';

export interface SpawnOptions {
  /** Names the log files; unique in the world. */
  readonly label: string;
  readonly namespace: Namespace | null;
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  readonly ipc?: boolean;
}

interface Undo {
  readonly what: string;
  readonly run: () => Promise<void> | void;
}

export interface WorldOptions {
  /**
   * Ends commands that run, and refuses to make more, when it is aborted; dispose() still has to be
   * called.
   */
  readonly signal?: AbortSignal;
}

/** Cleans after killed runs and makes an empty world. Needs Linux and root. */
export async function createWorld(options: WorldOptions = {}): Promise<World> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) {
    throw new LabError(
      'not_privileged',
      'network namespaces need Linux and root: run this as root',
    );
  }
  await cleanStaleWorlds();
  return new World(new RunRecord(`loom-${randomBytes(3).toString('hex')}`), options.signal ?? null);
}

export class World {
  /** Prefix of every name, for example `loom-1f3a9c`. */
  readonly run: string;
  /** Temporary files of the run, mode 0700: state, logs, sockets. */
  readonly directory: string;
  readonly logDirectory: string;
  readonly #record: RunRecord;
  readonly #signal: AbortSignal | null;
  readonly #undos: Undo[] = [];
  readonly #backgrounds: Background[] = [];
  #disposal: Promise<void> | null = null;

  /** For createWorld(). */
  constructor(record: RunRecord, signal: AbortSignal | null = null) {
    this.#record = record;
    this.#signal = signal;
    this.run = record.run;
    this.directory = join(tmpdir(), record.run);
    this.logDirectory = join(this.directory, 'log');
    record.add({ kind: 'directory', path: this.directory });
    mkdirSync(this.directory, { mode: 0o700 });
    this.defer(`directory ${this.directory}`, () =>
      rmSync(this.directory, { recursive: true, force: true }),
    );
    chmodSync(this.directory, 0o700);
    mkdirSync(this.logDirectory);
    mkdirSync(join(this.directory, 'state'));
  }

  /** Registers what dispose() has to undo; the last registered runs first. */
  defer(what: string, run: () => Promise<void> | void): void {
    this.#undos.push({ what, run });
  }

  /** The signal of createWorld(), for waits; undefined when none was given. */
  get signal(): AbortSignal | undefined {
    return this.#signal ?? undefined;
  }

  /** Every log file of the world's processes. */
  get logs(): readonly string[] {
    return this.#backgrounds.flatMap((background) => [background.outputPath, background.logPath]);
  }

  /**
   * Makes a network namespace; its loopback is up and IPv6 needs no duplicate address detection.
   */
  async addNamespace(label: string): Promise<Namespace> {
    if (!/^[a-z0-9][a-z0-9-]{0,31}$/.test(label)) {
      throw new LabError(
        'name_invalid',
        `${JSON.stringify(label)} is no namespace label: lower-case letters, digits, hyphens`,
      );
    }
    this.#signal?.throwIfAborted();
    const namespace = { label, name: `${this.run}-${label}` };
    if (await namespaceExists(namespace.name))
      throw new LabError('name_invalid', `namespace ${namespace.name} exists`);
    const thing = { kind: 'namespace', name: namespace.name } as const;
    this.#record.add(thing);
    this.defer(`namespace ${namespace.name}`, async () => {
      const left = await deleteNamespace(namespace.name);
      if (left.length > 0)
        throw new Error(`processes ${left.map(({ pid }) => pid).join(', ')} do not end`);
      this.#record.remove(thing);
    });
    await makeNamespace(namespace.name);
    return namespace;
  }

  /** Connects two namespaces by a veth pair that never appears anywhere else. */
  link(a: LinkEnd, b: LinkEnd, options: { readonly mtuBytes?: number } = {}): Promise<void> {
    return addLink(a, b, options);
  }

  /** Makes a bridge: the switch of a subnet. Link ends name it as their `bridge`. */
  addBridge(
    namespace: Namespace,
    device: string,
    options: { readonly addresses?: readonly string[] } = {},
  ): Promise<void> {
    return addBridge(namespace, device, options.addresses ?? []);
  }

  /**
   * Gives a device other addresses, as a machine gets that moves to another subnet. Routes over the
   * old ones go with them.
   */
  setAddresses(namespace: Namespace, device: string, addresses: readonly string[]): Promise<void> {
    return replaceAddresses(namespace, device, addresses);
  }

  /** Adds a route; `destination` is a prefix or `default`. */
  async addRoute(namespace: Namespace, destination: string, gateway: string): Promise<void> {
    const family = gateway.includes(':') ? '-6' : '-4';
    await runCommand([
      'ip',
      '-n',
      namespace.name,
      family,
      'route',
      'replace',
      destination,
      'via',
      gateway,
    ]);
  }

  /** Makes a router of a namespace, for both families, without reverse path filter. */
  enableForwarding(namespace: Namespace): Promise<void> {
    return writeSysctls(namespace.name, {
      'net.ipv4.ip_forward': '1',
      'net.ipv6.conf.all.forwarding': '1',
      'net.ipv4.conf.all.rp_filter': '0',
      'net.ipv4.conf.default.rp_filter': '0',
    });
  }

  /** Sets kernel parameters of a namespace, for example {'net.ipv4.ip_forward': '1'}. */
  setSysctls(namespace: Namespace, values: Readonly<Record<string, string>>): Promise<void> {
    return writeSysctls(namespace.name, values);
  }

  /**
   * Runs a command to its end; rejects when its exit status is not 0. `null` is the machine's own
   * namespace.
   */
  exec(
    namespace: Namespace | null,
    argv: readonly string[],
    options?: CommandOptions,
  ): Promise<CommandResult> {
    return runCommand([...enter(namespace), ...argv], this.#mark(options));
  }

  /** Runs a command to its end, whatever its exit status is. */
  tryExec(
    namespace: Namespace | null,
    argv: readonly string[],
    options?: CommandOptions,
  ): Promise<CommandResult> {
    return tryCommand([...enter(namespace), ...argv], this.#mark(options));
  }

  /** Starts a process that runs until it is stopped, with its output in `logDirectory`. */
  async spawn(options: SpawnOptions): Promise<Background> {
    this.#signal?.throwIfAborted();
    const taken = this.#backgrounds.filter(({ label }) => label === options.label).length;
    const stem = join(
      this.logDirectory,
      taken === 0 ? options.label : `${options.label}.${taken + 1}`,
    );
    const background = await startBackground({
      label: options.label,
      argv: [...enter(options.namespace), ...options.argv],
      outputPath: `${stem}.out.log`,
      logPath: `${stem}.log`,
      env: { ...options.env, [RUN_VARIABLE]: this.run },
      cwd: options.cwd,
      ipc: options.ipc,
    });
    const thing = { kind: 'process', label: options.label, ...background.identity } as const;
    this.#record.add(thing);
    this.#backgrounds.push(background);
    this.defer(options.label, () => background.stop());
    background.child.once('exit', () => this.#record.remove(thing));
    return background;
  }

  /**
   * Undoes everything, last first; goes on after a failure and reports all of them at the end. May
   * be called twice.
   */
  dispose(): Promise<void> {
    this.#disposal ??= this.#dispose();
    return this.#disposal;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }

  async #dispose(): Promise<void> {
    const problems: string[] = [];
    await endProcesses(this.#backgrounds.map(({ identity }) => identity));
    for (const undo of this.#undos.toReversed()) {
      try {
        await undo.run();
      } catch (error) {
        problems.push(`${undo.what}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    if (problems.length > 0) {
      throw new LabError(
        'dispose_incomplete',
        `run ${this.run} left behind ${problems.join('; ')}: the next run tries again`,
      );
    }
    this.#record.close();
  }

  #mark(options: CommandOptions = {}): CommandOptions {
    const signal = options.signal ?? this.#signal;
    const env = { ...options.env, [RUN_VARIABLE]: this.run };
    return { ...options, env, ...(signal === null ? {} : { signal }) };
  }
}
