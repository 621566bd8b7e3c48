/** loom token create */
import type { Command } from 'commander';
import { parseDuration, parseReference, parseUses } from '../arguments.ts';
import { createContext, openController } from '../context.ts';
import { withJson } from '../options.ts';
import { count, formatDuration } from '../terminal.ts';

interface CreateOptions {
  readonly json?: boolean;
  readonly network: string;
  readonly uses?: number;
  readonly expires?: number;
}

/** Adds `token` and its command. */
export function addTokenCommands(program: Command): void {
  const token = program.command('token').description('create join tokens');
  withJson(token.command('create'))
    .description('create a join token; it is printed once, alone on standard output')
    .requiredOption(
      '--network <network>',
      'network that the token admits to: name or id',
      parseReference,
    )
    .option('--uses <n>', 'how many nodes may join with it (default: 1)', parseUses)
    .option('--expires <duration>', 'its life: 30m, 1h, 7d (default: 1h)', parseDuration)
    .addHelpText(
      'after',
      '\nExample:\n  loom token create --network demo --uses 3 --expires 30m > demo.token',
    )
    .action(createToken);
}

async function createToken(options: CreateOptions): Promise<void> {
  const context = createContext(options);
  const client = await openController();
  const created = await client.call('tokenCreate', {
    body: {
      network: options.network,
      ...(options.uses === undefined ? {} : { uses: options.uses }),
      ...(options.expires === undefined ? {} : { lifetimeSeconds: options.expires }),
    },
  });
  context.show(created, () => created.token);
  if (context.isJson || !process.stderr.isTTY) return;
  const life = formatDuration(Date.parse(created.expiresAt) - Date.parse(created.createdAt));
  context.note(
    context.palette.dim(
      `Good for ${count(created.uses, 'node')} and ${life}. On the host: loom join TOKEN`,
    ),
  );
}
