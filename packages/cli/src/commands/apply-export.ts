/** loom apply | export: an organization as files. */
import { writeFileSync } from 'node:fs';
import type { Client } from '@etherloom/api';
import { ApiError, collect } from '@etherloom/api';
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { createContext, namedOrganization, openController, setOrganization } from '../context.ts';
import { CliError } from '../failure.ts';
import { withJson } from '../options.ts';
import type { Actual } from '../organization-file/actual.ts';
import type { MadeToken } from '../organization-file/carry-out.ts';
import { carryOut } from '../organization-file/carry-out.ts';
import { describeCounts, describeStep } from '../organization-file/describe.ts';
import { renderOrganizationFile, toOrganizationFile } from '../organization-file/export.ts';
import { planChanges } from '../organization-file/plan.ts';
import { readOrganization } from '../organization-file/read.ts';
import type { Wish } from '../organization-file/read-actual.ts';
import { readActual } from '../organization-file/read-actual.ts';
import type { OrganizationFile } from '../organization-file/schema.ts';
import type { Plan } from '../organization-file/step.ts';

interface ApplyOptions {
  readonly json?: boolean;
  readonly plan?: boolean;
  readonly prune?: boolean;
  readonly renewTokens?: boolean;
}

interface ExportOptions {
  readonly json?: boolean;
  readonly out?: string;
}

/** Adds `apply` and `export`. */
export function addOrganizationFileCommands(program: Command): void {
  withJson(program.command('apply'))
    .description('make the organization as YAML files say')
    .argument('<path>', 'a file, or a directory of .yaml files')
    .option('--plan', 'show what would be done, and do nothing')
    .option('--prune', 'also remove what the files do not name, in the sections that they have')
    .option('--renew-tokens', 'replace join tokens of the files that are used up or expired')
    .addHelpText(
      'after',
      '\nJoin tokens that are made are printed once, at the end: keep standard output from others.\n\nExample:\n  loom apply organization.yaml --plan',
    )
    .action(applyFiles);
  withJson(program.command('export'))
    .description('write the organization as YAML, without secrets')
    .option('--out <file>', 'write it there (default: standard output)')
    .action(exportFile);
}

/** Who sees several organizations must not compare a file with all of them together. */
async function openOrganization(): Promise<Client> {
  const client = await openController();
  if (namedOrganization() !== undefined) return client;
  const [only, other] = await collect(client, 'organizationList');
  if (only === undefined || other !== undefined)
    throw new CliError(
      'usage',
      'you see several organizations, or none: name one with --organization',
    );
  setOrganization(only.name);
  return openController();
}

async function applyFiles(path: string, options: ApplyOptions): Promise<void> {
  const context = createContext(options);
  const wanted = readOrganization(path);
  const client = await openOrganization();
  const isPruning = options.prune === true;
  const actual = await readActual(client, wishOf(wanted, isPruning), Date.now());
  const isRenewing = options.renewTokens === true;
  const plan = planChanges(wanted, actual, { isPruning, isRenewing });
  if (plan.refusals.length > 0)
    throw new CliError('file_invalid', `nothing was changed. ${plan.refusals.join('. ')}`);
  if (options.plan === true)
    return context.show(toJson(plan, 0, []), () => renderPlan(plan, context));
  await carryOutAll(client, plan, context);
}

/** What a file speaks of is read, and needs the permission to read it; the rest is not. */
function wishOf(wanted: OrganizationFile, isPruning: boolean): Wish {
  const networks = Object.entries(wanted.networks ?? {});
  const reserving = networks.filter(([, { reservations }]) => reservations !== undefined);
  return {
    reservationsOf: new Set(reserving.map(([name]) => name)),
    joinTokens: networks.some(([, { joinTokens }]) => joinTokens !== undefined),
    users: wanted.users !== undefined,
    memberEtags: isPruning && wanted.nodes !== undefined,
  };
}

/** Tokens are shown as they are made: nobody can ask for them again. */
async function carryOutAll(client: Client, plan: Plan, context: Context): Promise<void> {
  const tokens: MadeToken[] = [];
  let done = 0;
  for (const step of plan.steps) {
    const { sign, text } = describeStep(step);
    try {
      const made = await carryOut(client, step);
      done += 1;
      if (!context.isJson) context.print(`${sign} ${text}`);
      if (made === null) continue;
      tokens.push(made);
      if (!context.isJson) context.print(renderToken(made, tokens.length === 1));
    } catch (error) {
      const { length } = plan.steps;
      const rest = `${length - done} are not, from: ${sign} ${text}`;
      if (context.isJson) context.show(toJson(plan, done, tokens), () => '');
      else context.note(`${done} of ${length} steps are done; ${rest}`);
      throw error;
    }
  }
  context.show(toJson(plan, done, tokens), () => renderDone(plan));
}

function renderToken({ network, label, token }: MadeToken, isFirst: boolean): string {
  const head = '\nJoin tokens, each shown this once (loom join TOKEN on a host):\n';
  return `${isFirst ? head : ''}\n${network} ${label}\n${token}\n`;
}

function renderPlan(plan: Plan, context: Context): string {
  const lines = plan.steps.map((step) => {
    const { sign, text } = describeStep(step);
    const mark = sign === '-' ? context.palette.bad : context.palette.bold;
    return `${mark(sign)} ${text}`;
  });
  return [...lines, ...renderRest(plan), renderCounts(plan)].join('\n');
}

function renderRest({ waits, notes }: Plan): string[] {
  return [...waits.map((text) => `waits: ${text}`), ...notes.map((text) => `note: ${text}`)];
}

function renderCounts(plan: Plan): string {
  return plan.steps.length === 0 ? 'Everything is as the files say.' : describeCounts(plan);
}

function renderDone(plan: Plan): string {
  const end = plan.steps.length === 0 ? renderCounts(plan) : `Done: ${describeCounts(plan)}.`;
  return [...renderRest(plan), end].join('\n');
}

function toJson(plan: Plan, done: number, joinTokens: readonly MadeToken[]) {
  return {
    steps: plan.steps.map((step) => ({ kind: step.kind, ...describeStep(step) })),
    waits: plan.waits,
    notes: plan.notes,
    done,
    joinTokens,
  };
}

async function exportFile(options: ExportOptions): Promise<void> {
  const context = createContext(options);
  const client = await openOrganization();
  const file = toOrganizationFile(await readReadable(client, context));
  const text = context.isJson ? `${JSON.stringify(file, null, 2)}\n` : renderOrganizationFile(file);
  if (options.out === undefined) return void process.stdout.write(text);
  try {
    writeFileSync(options.out, text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CliError('file_unwritable', `${options.out} cannot be written: ${reason}`, error);
  }
}

/** All that may be read; a section that may not is left out, which leaves it as it is. */
async function readReadable(client: Client, context: Context): Promise<Actual> {
  const mayRead = async (read: () => Promise<unknown>, what: string): Promise<boolean> => {
    try {
      await read();
      return true;
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 'forbidden') throw error;
      context.note(`${what} are left out: ${error.message}`);
      return false;
    }
  };
  const one = { query: { limit: 1 } };
  return readActual(
    client,
    {
      reservationsOf: null,
      memberEtags: false,
      joinTokens: await mayRead(() => client.call('tokenList', one), 'join tokens'),
      users: await mayRead(() => client.call('userList', one), 'users'),
    },
    Date.now(),
  );
}
