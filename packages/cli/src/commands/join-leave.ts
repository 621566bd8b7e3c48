/** loom join, loom leave */
import { decodeJoinToken, JoinTokenError } from '@etherloom/api';
import type { Command } from 'commander';
import { parseInterface, parseName, parseReference } from '../arguments.ts';
import { createContext, openAgent } from '../context.ts';
import { CliError } from '../failure.ts';
import { TOKEN_INPUT_BYTES_MAX } from '../limits.ts';
import { withAgent } from '../options.ts';
import { renderFields } from '../terminal.ts';

interface JoinOptions {
  readonly json?: boolean;
  readonly socket?: string;
  readonly name?: string;
  readonly interface?: string;
}

interface LeaveOptions {
  readonly json?: boolean;
  readonly socket?: string;
}

/** Adds `join` and `leave`. */
export function addJoinCommands(program: Command): void {
  withAgent(program.command('join'))
    .description('join this host to the network of a token')
    .argument('<token>', 'join token, or - to read it from standard input')
    .option('--name <name>', 'name of this node (default: the host name)', parseName)
    .option(
      '--interface <ifname>',
      'name of the interface (default: loom- and the network)',
      parseInterface,
    )
    .addHelpText(
      'after',
      '\nExamples:\n  loom join - --name west1 < demo.token   (nobody sees it in a list of processes)\n  loom join loom1.eyJ1Ijpb...',
    )
    .action(join);
  withAgent(program.command('leave'))
    .description('take this host out of a network')
    .argument('<network>', 'name or id', parseReference)
    .action(leave);
}

async function join(given: string, options: JoinOptions): Promise<void> {
  const context = createContext(options);
  const token = (given === '-' ? await readInput() : given).trim();
  assertToken(token);
  const reply = await openAgent(options).join({
    token,
    name: options.name,
    interface: options.interface,
  });
  const { bold } = context.palette;
  context.show(reply, () =>
    [
      `Joined network ${bold(reply.network)} as ${bold(reply.nodeName)}.`,
      renderFields(
        [
          ['Interface', reply.interface],
          ['Addresses', reply.addresses.join(', ') || 'none'],
          ['MAC', reply.mac],
          ['Node id', reply.nodeId],
        ],
        context.palette,
      ),
    ].join('\n'),
  );
}

async function leave(network: string, options: LeaveOptions): Promise<void> {
  const context = createContext(options);
  await openAgent(options).leave(network);
  context.show({}, () => `Left network ${network}.`);
}

function assertToken(token: string): void {
  try {
    decodeJoinToken(token);
  } catch (error) {
    if (error instanceof JoinTokenError) throw new CliError('usage', error.message, error);
    throw error;
  }
}

async function readInput(): Promise<string> {
  let text = '';
  process.stdin.setEncoding('utf8');
  for await (const chunk of process.stdin) {
    text += String(chunk);
    if (text.length > TOKEN_INPUT_BYTES_MAX)
      throw new CliError('usage', 'standard input is far too long for a join token');
  }
  return text;
}
