/** The demonstration's output: a line a step, live on a terminal; everything fits 100 columns. */

export interface StepResult {
  readonly name: string;
  readonly ok: boolean;
  readonly ms: number;
  readonly detail: string;
}

export interface Screen {
  line(text?: string): void;
  title(text: string): void;
  dim(text: string): void;
  stepBegins(number: number, total: number, title: string): void;
  stepEnds(number: number, total: number, title: string, result: StepResult): void;
}

const COLUMNS = 100;

/** A screen on a stream: standard output, or standard error where standard output is for JSON. */
export function createScreen(stream: NodeJS.WriteStream): Screen {
  const isLive = stream.isTTY && process.env['TERM'] !== 'dumb';
  const hasColour = isLive && !process.env['NO_COLOR'];
  const mark = (code: number, text: string): string =>
    hasColour ? `\x1b[${code}m${text}\x1b[0m` : text;
  const write = (text: string): void => void stream.write(text);
  const label = (number: number, total: number): string =>
    `[${String(number).padStart(String(total).length)}/${total}]`;
  return {
    line: (text = '') => write(`${text}\n`),
    title: (text) => write(`${mark(1, text)}\n`),
    dim: (text) => write(`${mark(2, text)}\n`),
    stepBegins: (number, total, title) => {
      if (isLive) write(`${mark(2, label(number, total))} ${title} ...`);
    },
    stepEnds: (number, total, title, result) => {
      const sign = result.ok ? mark(32, 'ok') : mark(31, 'failed');
      const time = mark(2, `${(result.ms / 1_000).toFixed(1)} s`);
      write(
        `${isLive ? '\r\x1b[K' : ''}${mark(2, label(number, total))} ${title}  ${sign} ${time}\n`,
      );
      for (const text of wrap(result.detail, COLUMNS - 8)) write(`        ${text}\n`);
    },
  };
}

/** Breaks sentences into lines; lines that are there stay. */
export function wrap(text: string, columns: number): readonly string[] {
  if (text === '') return [];
  return text.split('\n').flatMap((line) => {
    const lines: string[] = [];
    let rest = line;
    while (rest.length > columns) {
      const space = rest.lastIndexOf(' ', columns);
      const cut = space > 0 ? space : columns;
      lines.push(rest.slice(0, cut));
      rest = rest.slice(cut).trimStart();
    }
    return [...lines, rest];
  });
}
