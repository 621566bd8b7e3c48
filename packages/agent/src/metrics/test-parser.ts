/** Reads the Prometheus text format strictly, as a collector does; for tests. */

export interface ParsedFamily {
  readonly type: string;
  readonly samples: { readonly labels: Readonly<Record<string, string>>; readonly value: number }[];
}

/** Families by name, in order. Throws for a line that the format does not know. */
export function parseExposition(text: string): Map<string, ParsedFamily> {
  const families = new Map<string, ParsedFamily>();
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  for (const line of text.slice(0, -1).split('\n')) {
    const type = /^# TYPE ([a-z_]+) (counter|gauge)$/.exec(line);
    if (type !== null) {
      const [, name = '', kind = ''] = type;
      if (families.has(name)) throw new Error(`${name} comes twice`);
      families.set(name, { type: kind, samples: [] });
      continue;
    }
    if (/^# HELP [a-z_]+ .+$/.test(line)) continue;
    const sample = /^([a-z_]+)(?:\{(.*)\})? (\d+(?:\.\d+)?(?:e[+-]\d+)?)$/.exec(line);
    const family = families.get(sample?.[1] ?? '');
    if (sample === null || family === undefined) throw new Error(`no line of the format: ${line}`);
    family.samples.push({ labels: parseLabels(sample[2] ?? ''), value: Number(sample[3]) });
  }
  return families;
}

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  let rest = text;
  while (rest !== '') {
    const pair = /^([a-z_]+)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/.exec(rest);
    if (pair === null) throw new Error(`no labels: ${text}`);
    const [whole, name = '', value = ''] = pair;
    labels[name] = value.replace(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char));
    rest = rest.slice(whole.length);
  }
  return labels;
}
