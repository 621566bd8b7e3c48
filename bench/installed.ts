/** Which programs this machine has. */
import { tryCommand } from '@etherloom/lab';

/** Whether a program is on the path. */
export async function isInstalled(program: string): Promise<boolean> {
  return (await tryCommand(['sh', '-c', 'command -v "$0"', program])).status === 0;
}
