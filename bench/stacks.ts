/**
 * From what `perf script` prints to the tree that a flame graph draws: samples with the same stack
 * are counted together. Pure.
 */

/** Where a function lives: the data path's program, the kernel, or a library. */
export type FrameKind = 'program' | 'kernel' | 'library';

/** A function in a stack. */
export interface StackFrame {
  readonly name: string;
  readonly kind: FrameKind;
}

/** One sample: whose it is and its stack, outermost function first. */
export interface StackSample {
  readonly pid: number;
  readonly frames: readonly StackFrame[];
}

/** A function at one place of the tree, with the samples of all that it called. */
export interface FlameNode {
  readonly name: string;
  readonly kind: FrameKind | 'group';
  samples: number;
  /** By name and kind. */
  readonly children: Map<string, FlameNode>;
}

/** Fields that `perf script` has to print for parseSamples. */
export const SCRIPT_FIELDS = 'pid,ip,sym,dso';

/**
 * Reads `perf script -F pid,ip,sym,dso`: for each sample a line with the process id, a line for
 * each function from the innermost on, and an empty line.
 */
export function parseSamples(text: string, program: string): StackSample[] {
  return text
    .split(/\n\s*\n/)
    .map((block) => block.split('\n').filter((line) => line.trim() !== ''))
    .flatMap(([head, ...lines]) => {
      const pid = /^\s*(\d+)\s*$/.exec(head ?? '')?.[1];
      if (pid === undefined || lines.length === 0) return [];
      const frames = lines.map((line) => frameOf(line, program)).toReversed();
      return [{ pid: Number(pid), frames: fromProgram(frames) }];
    });
}

/**
 * Leaves out what starts a thread, and what stands there instead where a stack was too deep to be
 * kept whole.
 */
function fromProgram(frames: readonly StackFrame[]): readonly StackFrame[] {
  const first = frames.findIndex(({ kind }) => kind === 'program');
  return first === -1 ? frames : frames.slice(first);
}

/** `    ffffffff81 tcp_sendmsg ([kernel.kallsyms])`; an address without a symbol is `[unknown]`. */
function frameOf(line: string, program: string): StackFrame {
  const [, symbol = '', place = ''] = /^\s*[0-9a-f]+ (.*?)(?: \((.*)\))?$/.exec(line) ?? [];
  const isKernel = /^\[(?!vdso|unknown)/.test(place);
  const file = (place.split('/').at(-1) ?? '').replace(/^\[(.*)\]$/, '$1');
  const kind = isKernel ? 'kernel' : file === program ? 'program' : 'library';
  const name = symbol === '' || symbol === '[unknown]' ? `[${file || 'unknown'}]` : symbol;
  return { name: name.replace(/\+0x[0-9a-f]+$/, ''), kind };
}

/** The tree of all samples; `groupOf` names the first level, null leaves a sample out. */
export function flameTree(
  samples: readonly StackSample[],
  groupOf: (pid: number) => string | null,
): FlameNode {
  const root = node('all', 'group');
  for (const { pid, frames } of samples) {
    const group = groupOf(pid);
    if (group === null) continue;
    root.samples++;
    let at = childOf(root, { name: group, kind: 'group' });
    at.samples++;
    for (const frame of frames) {
      at = childOf(at, frame);
      at.samples++;
    }
  }
  return root;
}

const node = (name: string, kind: FlameNode['kind']): FlameNode => ({
  name,
  kind,
  samples: 0,
  children: new Map(),
});

function childOf(parent: FlameNode, { name, kind }: Pick<FlameNode, 'name' | 'kind'>): FlameNode {
  const key = `${kind} ${name}`;
  const found = parent.children.get(key) ?? node(name, kind);
  parent.children.set(key, found);
  return found;
}
