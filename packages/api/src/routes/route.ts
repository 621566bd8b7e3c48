/** What a route of the controller's API is, and what all of one kind have in common. */
import { z } from 'zod';
import type { ErrorCode } from '../errors.ts';
import { CURSOR_CHARS_MAX, LIST_LIMIT_DEFAULT, LIST_LIMIT_MAX } from '../limits.ts';
import type { Permission } from '../permissions.ts';

export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly summary: string;
  /**
   * What the principal must be allowed to do in its scope; self: any principal; system: a system
   * administrator; null: anybody who reaches the port.
   */
  readonly permission: Permission | 'self' | 'system' | null;
  /** Query parameters beside `organization`, which every route with a principal takes. */
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  readonly reply: z.ZodType | null;
  readonly status: 200 | 201 | 204 | 303;
  /** Codes beyond those that follow from what the route is (route-facts.ts). */
  readonly errors?: readonly ErrorCode[];
  /** Content type of a reply that is a stream and no JSON; `reply` is null then. */
  readonly media?: 'application/jsonl' | 'text/event-stream';
}

/** Where a list goes on: opaque text of the reply before. */
export const cursorSchema = z
  .string()
  .min(1)
  .max(CURSOR_CHARS_MAX)
  .regex(/^[A-Za-z0-9_-]+$/, 'must be the value of next in the reply before');

/** A whole number in a query, where everything is text. */
export const queryInt = (min: number, max: number) =>
  z
    .string()
    .regex(/^(0|[1-9]\d{0,15})$/, `must be a whole number from ${min} to ${max}`)
    .transform(Number)
    .pipe(z.int().min(min).max(max));

/** true or false in a query. */
export const queryBoolean = z
  .enum(['true', 'false'])
  .transform((text) => text === 'true')
  .pipe(z.boolean());

/** What a list says of ETags, where they were asked for. */
export const LIST_ETAGS = 'where they are asked for: the ETag of each item, for If-Match';

/** The reply of a list: `next` goes on as the cursor of the next request; null: that was all. */
export const list = <T extends z.ZodType>(item: T) =>
  z.object({
    items: z.array(item),
    next: cursorSchema.nullable(),
    etags: z.array(z.string()).optional().describe(LIST_ETAGS),
  });

/** The query of a list: how many, where it goes on, and filters by name of a field. */
export const listQuery = <F extends z.core.$ZodShape>(filters: F) =>
  z.strictObject({
    limit: queryInt(1, LIST_LIMIT_MAX)
      .default(LIST_LIMIT_DEFAULT)
      .describe('items of one reply, at most'),
    cursor: cursorSchema.optional().describe('`next` of the reply before'),
    etags: queryBoolean.optional().describe('true: the reply has the ETag of each item too'),
    ...filters,
  });

/** True for routes that answer with a list. */
export function isListRoute(route: Route): boolean {
  return route.reply instanceof z.ZodObject && 'items' in route.reply.shape;
}
