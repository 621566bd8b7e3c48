/** The tree of commands, and what becomes of their errors. */
import { Command, CommanderError } from 'commander';
import { addOrganizationFileCommands } from './commands/apply-export.ts';
import { addAuditCommands } from './commands/audit.ts';
import { addApiTokenCommands } from './commands/api-token.ts';
import { addAuthorityCommands } from './commands/authority.ts';
import { addHostCommands } from './commands/host.ts';
import { addIdentityProviderCommands } from './commands/identity-provider.ts';
import { addJoinCommands } from './commands/join-leave.ts';
import { addLoginCommand } from './commands/login.ts';
import { addOrganizationCommands } from './commands/organization.ts';
import { addNetworkCommands } from './commands/network.ts';
import { addNodeCommands } from './commands/node.ts';
import { addTokenCommands } from './commands/token.ts';
import { addUserCommands } from './commands/user.ts';
import { addWhoamiCommand } from './commands/whoami.ts';
import { setOrganization } from './context.ts';
import { parseReference } from './arguments.ts';
import { describeFailure, EXIT_USAGE } from './failure.ts';
import type { Failure } from './failure.ts';
import { choosePalette } from './terminal.ts';
import { VERSION } from './version.ts';

const EXAMPLES = `
Examples:
  On the controller's machine
    loom controller --data /var/lib/etherloom --listen 0.0.0.0:8443
    loom login https://192.0.2.1:8443 --token-file /var/lib/etherloom/admin.token --tls-fingerprint F
    loom network create demo
    loom token create --network demo --uses 3 --expires 1h
  On each host
    loom agent --state /var/lib/etherloom-agent
    loom join TOKEN
    loom ping west1

Exit status: 0 done, 1 failed, 2 the command line is wrong. Errors go to standard error.
Environment: LOOM_URL, LOOM_TOKEN, LOOM_TLS_FINGERPRINT (before what login stored), LOOM_ORGANIZATION, LOOM_SOCKET, NO_COLOR.`;

/** Runs one command line and resolves to the exit status. */
export async function runProgram(argv: readonly string[]): Promise<number> {
  const isJson = argv.includes('--json');
  const program = buildProgram(isJson);
  try {
    await program.parseAsync(argv, { from: 'user' });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return 0;
      if (isJson) process.stderr.write(renderFailure(describeUsage(error), true));
      return EXIT_USAGE;
    }
    const failure = describeFailure(error);
    process.stderr.write(renderFailure(failure, isJson));
    return failure.exitStatus;
  }
}

/** What commander says in prose, for programs. */
function describeUsage({ code, message }: CommanderError): Failure {
  const isHelp = code === 'commander.help';
  return {
    code: 'usage',
    message: isHelp ? 'the command is incomplete' : message.replace(/^error: /, ''),
    action: 'Add --help for what there is.',
    details: [],
    requestId: null,
    exitStatus: EXIT_USAGE,
  };
}

function buildProgram(isJson: boolean): Command {
  const program = new Command('loom')
    // Commands take this over when they are added.
    .configureOutput(isJson ? { writeErr: () => {} } : {})
    .version(`loom ${VERSION}`, '-V, --version', 'print the version')
    .description(
      'Your own Ethernet across any cloud: encrypted layer-2 networks between Linux machines.',
    )
    .exitOverride()
    .showHelpAfterError('(add --help for more)')
    .addHelpText('after', EXAMPLES);
  program
    .command('controller')
    .description('run the controller: --data DIR [--listen HOST:PORT] [--json]')
    .action(() => {}); // main.ts takes this word first; it stands here for the list of commands
  program
    .command('agent')
    .description(
      'run the agent of this host: --state DIR [--socket PATH] [--port 8002] [--metrics ADDRESS]',
    )
    .action(() => {}); // as above
  addLoginCommand(program);
  addNetworkCommands(program);
  addTokenCommands(program);
  addNodeCommands(program);
  addOrganizationFileCommands(program);
  addAuthorityCommands(program);
  addAuditCommands(program);
  addOrganizationCommands(program);
  addUserCommands(program);
  addApiTokenCommands(program);
  addIdentityProviderCommands(program);
  addWhoamiCommand(program);
  scopeCommands(program);
  addJoinCommands(program);
  addHostCommands(program);
  return program;
}

/** Commands that are about logging in, or that name their organization by themselves. */
const UNSCOPED = new Set(['controller', 'agent', 'login', 'logout', 'whoami', 'organization']);

/** Lets every command that asks the controller, added until here, name an organization. */
function scopeCommands(program: Command): void {
  const text = 'organization that is meant (default: LOOM_ORGANIZATION, else your only one)';
  const visit = (command: Command): void => {
    if (command.commands.length > 0) return command.commands.forEach(visit);
    const isGiven = command.options.some(({ long }) => long === '--organization');
    if (!isGiven) command.option('--organization <name>', text, parseReference);
  };
  for (const command of program.commands) if (!UNSCOPED.has(command.name())) visit(command);
  program.hook('preAction', (_, action) => {
    const given: unknown = action.opts()['organization'];
    const fallback = process.env['LOOM_ORGANIZATION'];
    setOrganization(typeof given === 'string' ? given : fallback === '' ? undefined : fallback);
  });
}

function renderFailure(failure: Failure, isJson: boolean): string {
  if (isJson) {
    const { code, message, action, details, requestId } = failure;
    return `${JSON.stringify({ error: { code, message, action, details, requestId } })}\n`;
  }
  const palette = choosePalette(process.stderr.isTTY, process.env);
  const lines = [
    `${palette.bad('error:')} ${failure.message}`,
    ...failure.details.map(({ field, reason }) => `  ${field}: ${reason}`),
    ...(failure.action === null ? [] : [failure.action]),
    ...(failure.requestId === null || failure.code !== 'internal'
      ? []
      : [`request id ${failure.requestId}`]),
  ];
  return `${lines.join('\n')}\n`;
}
