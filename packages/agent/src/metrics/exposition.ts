/**
 * Prometheus text format 0.0.4: families with their samples as text. Values are made at scrape time
 * from counters that live elsewhere, so a registry that counts by itself would be a second truth.
 */
import { METRICS } from './families.ts';
import type { MetricFamily, MetricName } from './families.ts';

/** Content type of the text. */
export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export interface Sample {
  /** In the order of the family's labels. */
  readonly labels: readonly string[];
  readonly value: number;
}

/** Samples by family; a family without samples is left out of the text. */
export type Samples = ReadonlyMap<MetricName, readonly Sample[]>;

/** Renders all families in the order of the table. */
export function renderExposition(samples: Samples): string {
  const names = Object.keys(METRICS) as MetricName[]; // keys of the table
  return names.map((name) => renderFamily(name, METRICS[name], samples.get(name) ?? [])).join('');
}

function renderFamily(name: string, family: MetricFamily, samples: readonly Sample[]): string {
  if (samples.length === 0) return '';
  const help = family.help.replaceAll('\\', String.raw`\\`).replaceAll('\n', String.raw`\n`);
  const lines = samples.map(({ labels, value }) => {
    const pairs = family.labels.map((label, index) => `${label}="${escape(labels[index] ?? '')}"`);
    return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}\n`;
  });
  return `# HELP ${name} ${help}\n# TYPE ${name} ${family.type}\n${lines.join('')}`;
}

function escape(value: string): string {
  return value
    .replaceAll('\\', String.raw`\\`)
    .replaceAll('"', String.raw`\"`)
    .replaceAll('\n', String.raw`\n`);
}
