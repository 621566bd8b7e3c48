/** What differs between a resource before and after a change, field by field. */

export type Resource = Readonly<Record<string, unknown>> | null;

export interface FieldDiff {
  /** Path of the field: `settings.clones`. */
  readonly field: string;
  /** Text of the value; null: the field was not there. */
  readonly was: string | null;
  readonly is: string | null;
}

/** Fields that differ, in order of their names. Of a resource that is made or removed: all. */
export function diffResources(before: Resource, after: Resource): readonly FieldDiff[] {
  const was = flatten(before);
  const is = flatten(after);
  const fields = [...new Set([...was.keys(), ...is.keys()])].sort();
  return fields
    .map((field) => ({ field, was: was.get(field) ?? null, is: is.get(field) ?? null }))
    .filter((diff) => diff.was !== diff.is);
}

/** Records are opened, lists are values. */
function flatten(resource: Resource): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  const walk = (value: unknown, path: string): void => {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      for (const [key, inner] of Object.entries(value))
        walk(inner, path === '' ? key : `${path}.${key}`);
    } else if (path !== '') fields.set(path, textOf(value));
  };
  walk(resource, '');
  return fields;
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (Array.isArray(value) && value.every((item) => typeof item === 'string'))
    return value.join(', ');
  return JSON.stringify(value);
}
