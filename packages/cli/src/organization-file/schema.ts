/**
 * An organization as YAML says it. A section that is left out is not looked after; a field that is
 * left out keeps what it is. Names stand for things, never ids, so that one file fits several
 * organizations.
 */
import {
  MTU_BYTES_MAX,
  MTU_BYTES_MIN,
  ipSchema,
  ipv4PrefixSchema,
  ipv6PrefixSchema,
  nameSchema,
  networkSettingsSchema,
} from '@etherloom/api';
import { z } from 'zod';

const reservationSchema = z.strictObject({
  address: ipSchema,
  node: nameSchema.optional(),
  note: z.string().max(200).default(''),
});
export type ReservationWanted = z.infer<typeof reservationSchema>;

const networkSchema = z.strictObject({
  ipv4: ipv4PrefixSchema.nullable().optional(),
  ipv6: ipv6PrefixSchema.nullable().optional(),
  mtuBytes: z.int().min(MTU_BYTES_MIN).max(MTU_BYTES_MAX).optional(),
  settings: networkSettingsSchema.partial().strict().optional(),
  reservations: z.array(reservationSchema).optional(),
});
export type NetworkWanted = z.infer<typeof networkSchema>;

const nodeSchema = z.strictObject({ networks: z.array(nameSchema).optional() });
export type NodeWanted = z.infer<typeof nodeSchema>;

/** What one file, or several together, say. */
export const organizationFileSchema = z.strictObject({
  etherloom: z.literal(1, 'must be 1, the version of this format'),
  networks: z.record(nameSchema, networkSchema).optional(),
  nodes: z.record(nameSchema, nodeSchema).optional(),
});
export type OrganizationFile = z.infer<typeof organizationFileSchema>;
