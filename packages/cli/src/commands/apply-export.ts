/** loom apply | export: an organization as files. */
import { writeFileSync } from 'node:fs';
import type { Client } from '@etherloom/api';
import { collect } from '@etherloom/api';
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { createContext, namedOrganization, openController, setOrganization } from '../context.ts';
import { CliError } from '../failure.ts';
import { withJson } from '../options.ts';
import { describeCounts, describeStep } from '../organization-file/describe.ts';
import { renderOrganizationFile, toOrganizationFile } from '../organization-file/export.ts';
import type { Plan, Step } from '../organization-file/plan.ts';
import { planChanges } from '../organization-file/plan.ts';
import type { NetworkWanted } from '../organization-file/schema.ts';
import { readOrganization } from '../organization-file/read.ts';
import { readActual } from '../organization-file/read-actual.ts';

interface ApplyOptions {
  readonly json?: boolean;
  readonly plan?: boolean;
  readonly prune?: boolean;
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
    .addHelpText('after', '\nExample:\n  loom apply organization.yaml --plan')
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
  const plan = planChanges(wanted, await readActual(client), options.prune === true);
  if (plan.refusals.length > 0)
    throw new CliError('file_invalid', `nothing was changed. ${plan.refusals.join('. ')}`);
  if (options.plan === true) return context.show(toJson(plan, 0), () => renderPlan(plan, context));
  const done = await carryOut(client, plan, context);
  context.show(toJson(plan, done), () => renderDone(plan));
}

async function carryOut(client: Client, plan: Plan, context: Context): Promise<number> {
  let done = 0;
  for (const step of plan.steps) {
    const { sign, text } = describeStep(step);
    try {
      await doStep(client, step);
    } catch (error) {
      const rest = plan.steps.length - done;
      context.note(
        `${done} of ${plan.steps.length} steps are done; ${rest} are not, from: ${sign} ${text}`,
      );
      throw error;
    }
    done += 1;
    if (!context.isJson) context.print(`${sign} ${text}`);
  }
  return done;
}

async function doStep(client: Client, step: Step): Promise<void> {
  switch (step.kind) {
    case 'network.create':
      await client.call('networkCreate', { body: toCreate(step.name, step.wanted) });
      return;
    case 'network.set':
      await client.call('networkSettings', {
        params: { network: step.network.id },
        body: step.settings,
      });
      return;
    case 'network.delete':
      await client.call('networkDelete', { params: { network: step.network.id } });
      return;
    case 'reservation.create':
      await client.call('reservationCreate', {
        params: { network: step.networkName },
        body: {
          address: step.wanted.address,
          note: step.wanted.note,
          ...(step.nodeId === undefined ? {} : { nodeId: step.nodeId }),
        },
      });
      return;
    case 'reservation.delete':
      await client.call('reservationDelete', {
        params: { network: step.networkName, reservation: step.reservation.id },
      });
      return;
    case 'node.approve':
      await client.call('nodeApprove', { params: { node: step.node.id } });
      return;
    case 'node.delete':
      await client.call('nodeDelete', { params: { node: step.node.id } });
      return;
    case 'member.delete':
      await client.call('memberDelete', {
        params: { network: step.membership.networkId, node: step.membership.nodeId },
      });
      return;
    default:
      throw new Error(`unexpected ${JSON.stringify(step satisfies never)}`);
  }
}

/** The body that makes a network; what the file leaves out the controller chooses. */
function toCreate(name: string, { ipv4, ipv6, mtuBytes, settings }: NetworkWanted) {
  return {
    name,
    ...(ipv4 === undefined ? {} : { ipv4 }),
    ...(ipv6 === undefined ? {} : { ipv6 }),
    ...(mtuBytes === undefined ? {} : { mtuBytes }),
    ...(settings === undefined ? {} : { settings }),
  };
}

function renderPlan(plan: Plan, context: Context): string {
  const lines = plan.steps.map((step) => {
    const { sign, text } = describeStep(step);
    const mark = sign === '-' ? context.palette.bad : context.palette.bold;
    return `${mark(sign)} ${text}`;
  });
  const waits = plan.waits.map((text) => `waits: ${text}`);
  return [...lines, ...waits, renderCounts(plan)].join('\n');
}

function renderCounts(plan: Plan): string {
  return plan.steps.length === 0 ? 'Everything is as the files say.' : describeCounts(plan);
}

function renderDone(plan: Plan): string {
  const waits = plan.waits.map((text) => `waits: ${text}`);
  const end = plan.steps.length === 0 ? renderCounts(plan) : `Done: ${describeCounts(plan)}.`;
  return [...waits, end].join('\n');
}

function toJson(plan: Plan, done: number) {
  return {
    steps: plan.steps.map((step) => ({ kind: step.kind, ...describeStep(step) })),
    waits: plan.waits,
    done,
  };
}

async function exportFile(options: ExportOptions): Promise<void> {
  const context = createContext(options);
  const client = await openOrganization();
  const file = toOrganizationFile(await readActual(client));
  const text = context.isJson ? `${JSON.stringify(file, null, 2)}\n` : renderOrganizationFile(file);
  if (options.out === undefined) return void process.stdout.write(text);
  try {
    writeFileSync(options.out, text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CliError('file_unwritable', `${options.out} cannot be written: ${reason}`, error);
  }
}
