/** Reads a result of an earlier run: a file is somebody else's text until its shape is checked. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { UsageError } from './arguments.ts';
import type { Scenario } from './scenario.ts';

const bound = z.number().nullable();
const scenarioSchema = z.object({
  name: z.string(),
  value: z.number(),
  unit: z.string(),
  better: z.enum(['more', 'less']),
  reference: z.object({ name: z.string(), value: z.number() }).nullable(),
  ratio: z.number().nullable(),
  error: z.number().min(0),
  wanted: bound,
  aim: bound,
  verdict: z.enum(['aim', 'enough', 'missed']).nullable(),
});
const resultSchema = z.object({ scenarios: z.array(scenarioSchema).min(1) });

/** The scenarios of a file that --json wrote; a message says which file is no result. */
export function readBaseline(path: string): readonly Scenario[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`--compare cannot read ${path}: ${reason}`);
  }
  return parseBaseline(path, text);
}

/** The same from the text of the file. */
export function parseBaseline(path: string, text: string): readonly Scenario[] {
  try {
    return resultSchema.parse(JSON.parse(text)).scenarios;
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : String(error);
    throw new UsageError(`--compare takes a file that --json wrote; ${path} is none: ${reason}`);
  }
}
