/** Schemas of the values that resources are made of. Messages say what would be right. */
import { z } from 'zod';
import { NAME_CHARS_MAX } from './limits.ts';

/** Lower-case DNS label: names appear in DNS, interface names and URLs. */
export const nameSchema = z
  .string()
  .max(NAME_CHARS_MAX)
  .regex(
    /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/,
    'must be lower-case letters, digits and inner hyphens, at most 63',
  );

/** An id or a name in a query. */
export const referenceSchema = z.string().min(1).max(128);

/** 16 random bytes as 32 lower-case hex digits. */
export const nodeIdSchema = z.string().regex(/^[0-9a-f]{32}$/, 'must be 32 lower-case hex digits');

/** Identifier of a row made by the controller: prefix_ and 20 characters. */
export const idSchema = z
  .string()
  .regex(/^[a-z]{2,4}_[0-9a-z]{20}$/, 'must look like net_ and 20 letters or digits');

/**
 * 32-byte public key in base64url without padding. 43 characters hold two bits more than 32 bytes:
 * they must be zero, or one key would have four texts and keys could not be compared as texts.
 */
export const publicKeySchema = z
  .string()
  .regex(
    /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/,
    'must be 32 bytes in base64url (43 characters, the last of which has no spare bits set)',
  );

/** Ed25519 signature in base64url without padding. */
export const signatureSchema = z
  .string()
  .regex(/^[A-Za-z0-9_-]{86}$/, 'must be 64 bytes in base64url (86 characters)');

export const macSchema = z
  .string()
  .regex(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/, 'must look like 02:00:5e:10:00:01');

/** Underlay endpoint: "192.0.2.1:8002" or "[2001:db8::1]:8002". core/endpoint.ts parses it. */
export const endpointSchema = z.string().max(64);

export const ipv4Schema = z.ipv4();
export const ipv6Schema = z.ipv6();
export const ipSchema = z.union([z.ipv4(), z.ipv6()]);
export const ipv4PrefixSchema = z.cidrv4();
export const ipv6PrefixSchema = z.cidrv6();

/** 8 random bytes of one start of an agent. */
export const instanceSchema = z
  .string()
  .regex(/^[0-9a-f]{16}$/, 'must be 16 lower-case hex digits');

/** pending: split off a clone and in no network until it is approved. */
export const nodeStateSchema = z.enum(['active', 'pending']);
export type NodeState = z.infer<typeof nodeStateSchema>;

/** RFC 3339 in UTC. */
export const timeSchema = z.iso.datetime();

/** A node's endpoint record (docs/trust.md 6) in base64url: at most 16 endpoints, 381 bytes. */
export const endpointRecordSchema = z
  .string()
  .max(508)
  .regex(/^[A-Za-z0-9_-]+$/, 'must be an endpoint record in base64url');

/** Where agents reach a controller. */
export const controllerUrlSchema = z.url({ protocol: /^https$/ }).max(256);
