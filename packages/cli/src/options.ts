/** Options that many commands share. */
import type { Command } from 'commander';

/** Adds --json. */
export function withJson(command: Command): Command {
  return command.option('--json', 'print the API object as JSON');
}

/** Adds --json and --socket. */
export function withAgent(command: Command): Command {
  return withJson(command).option(
    '--socket <path>',
    'socket of the agent (default: LOOM_SOCKET, else /run/etherloom/agent.sock)',
  );
}
