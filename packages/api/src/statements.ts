/**
 * What an organization's authority says and signs, and everybody verifies for himself
 * (docs/trust.md). A statement travels as the exact text that was signed, so that nobody has to
 * write JSON the same way twice; its hash is SHA-256 of that text.
 */
import { z } from 'zod';
import { INTEREST_MAX } from './limits.ts';
import {
  idSchema,
  ipSchema,
  ipv4PrefixSchema,
  ipv6PrefixSchema,
  macSchema,
  nameSchema,
  nodeIdSchema,
  publicKeySchema,
  signatureSchema,
  timeSchema,
} from './values.ts';

/** Keys that an authority may have, and so signatures of a statement. */
export const AUTHORITY_KEYS_MAX = 16;
/** Controllers whose keys may renew credentials. */
export const RENEWAL_KEYS_MAX = 8;
/** Longest text of a statement: an authority with all keys is below 3,000 characters. */
export const STATEMENT_CHARS_MAX = 8_192;
/** Links of an authority's history that are sent: one for each rotation since the token. */
export const AUTHORITY_CHAIN_MAX = 64;
/** How long a network goes on without any controller when nothing else is said. */
export const STALENESS_DAYS_DEFAULT = 30;
export const STALENESS_DAYS_MAX = 3_650;
/**
 * Revocations of a network: one has its place in the roster until the credentials that it ends
 * could not be renewed any more, and there is room for the end of every member.
 */
export const NETWORK_REVOCATIONS_MAX = 20_000;
/** Members of a network that no controller has taken in yet. */
export const NETWORK_VOUCHED_MAX = 64;
/** Members whose credentials and endpoints a join token carries. */
export const VOUCHER_CONTACTS_MAX = 4;
/**
 * Members in one of the 4,096 buckets of a roster: at 16,384 members there are four in the mean. A
 * node chooses its id, so only this keeps a crowd out of one bucket, and proofs short.
 */
export const ROSTER_BUCKET_MAX = 256;
/** Longest proof of a member against a roster: a full bucket, and three rows of siblings. */
export const ROSTER_PROOF_CHARS_MAX = 18_250;
/** Groups of a member. */
export const MEMBER_GROUPS_MAX = 32;

/** SHA-256 of a statement's text, hex. */
export const statementHashSchema = z
  .string()
  .regex(/^[0-9a-f]{64}$/, 'must be SHA-256 as 64 lower-case hex digits');

export const signedStatementSchema = z.strictObject({
  statement: z.string().max(STATEMENT_CHARS_MAX).describe('JSON; the text that was signed'),
  signatures: z
    .array(z.strictObject({ key: publicKeySchema, signature: signatureSchema }))
    .min(1)
    .max(2 * AUTHORITY_KEYS_MAX),
});
export type SignedStatement = z.infer<typeof signedStatementSchema>;

/** The text over which each Ed25519 signature of a statement is made. */
export function statementSigningText(statement: string): string {
  return `etherloom statement 1\n${statement}`;
}

/** Who may sign for an organization; each version names the one before it. */
export const authorityStatementSchema = z.strictObject({
  type: z.literal('authority'),
  organizationId: idSchema,
  version: z.int().min(1),
  keys: z.array(publicKeySchema).min(1).max(AUTHORITY_KEYS_MAX),
  threshold: z.int().min(1).max(AUTHORITY_KEYS_MAX),
  recoveryKeys: z.array(publicKeySchema).max(AUTHORITY_KEYS_MAX),
  recoveryThreshold: z.int().min(0).max(AUTHORITY_KEYS_MAX).describe('0: no recovery'),
  renewalKeys: z.array(publicKeySchema).max(RENEWAL_KEYS_MAX),
  previous: statementHashSchema.nullable().describe('hash of the former version; null: the first'),
  issuedAt: timeSchema,
});
export type AuthorityStatement = z.infer<typeof authorityStatementSchema>;

/** Versions of an authority, each followed by the next. */
export const authorityChainSchema = z.array(signedStatementSchema).min(1).max(AUTHORITY_CHAIN_MAX);

/** What a network does when two machines use one identity. */
export const cloneRuleSchema = z.enum(['reject', 'replace', 'split']);
export type CloneRule = z.infer<typeof cloneRuleSchema>;

export const networkSettingsSchema = z.strictObject({
  clones: cloneRuleSchema,
  cloneAdmission: z
    .enum(['approve', 'admit'])
    .describe('a split-off clone waits for approval, or is a member at once'),
  stalenessDays: z.int().min(1).max(STALENESS_DAYS_MAX),
  postQuantum: z.enum(['required', 'off']),
});
export type NetworkSettings = z.infer<typeof networkSettingsSchema>;
export const NETWORK_SETTINGS_DEFAULT: NetworkSettings = {
  clones: 'split',
  cloneAdmission: 'approve',
  stalenessDays: STALENESS_DAYS_DEFAULT,
  postQuantum: 'required',
};

export const networkStatementSchema = z.strictObject({
  type: z.literal('network'),
  organizationId: idSchema,
  networkId: idSchema,
  version: z.int().min(1),
  name: nameSchema,
  vni: z.int().min(1).max(0xff_ffff),
  mtuBytes: z.int(),
  ipv4: ipv4PrefixSchema.nullable(),
  ipv6: ipv6PrefixSchema.nullable(),
  settings: networkSettingsSchema,
  issuedAt: timeSchema,
});
export type NetworkStatement = z.infer<typeof networkStatementSchema>;

/** A node's membership of one network: what it may send from, and with which keys. */
export const credentialStatementSchema = z.strictObject({
  type: z.literal('credential'),
  organizationId: idSchema,
  networkId: idSchema,
  vni: z.int().min(1).max(0xff_ffff),
  nodeId: nodeIdSchema,
  name: nameSchema,
  signKey: publicKeySchema,
  sessionKey: publicKeySchema,
  mac: macSchema,
  addresses: z.array(ipSchema).max(16),
  groups: z.array(nameSchema).max(MEMBER_GROUPS_MAX),
  serial: z.int().min(1).describe('rises with each credential of the network'),
  issuedAt: timeSchema,
  expiresAt: timeSchema,
  renewableUntil: timeSchema.describe('renewals may move the end no further than this'),
});
export type CredentialStatement = z.infer<typeof credentialStatementSchema>;

/** Ends all credentials of a node in a network up to a serial. */
export const revocationStatementSchema = z.strictObject({
  type: z.literal('revocation'),
  organizationId: idSchema,
  networkId: idSchema,
  nodeId: nodeIdSchema,
  serial: z.int().min(1),
  reason: z.string().max(200),
  issuedAt: timeSchema,
});
export type RevocationStatement = z.infer<typeof revocationStatementSchema>;

/** Everything that is valid in a network at a version: what is missing or added shows. */
export const rosterStatementSchema = z.strictObject({
  type: z.literal('roster'),
  organizationId: idSchema,
  networkId: idSchema,
  version: z.int().min(1),
  network: statementHashSchema,
  memberCount: z.int().nonnegative(),
  credentials: statementHashSchema.describe('rosterTreeRoot of the credentials'),
  revocationCount: z.int().nonnegative(),
  revocations: statementHashSchema.describe('rosterHash of the revocations'),
  issuedAt: timeSchema,
});
export type RosterStatement = z.infer<typeof rosterStatementSchema>;

/** Moves the end of a credential; signed by a renewal key alone. */
export const renewalStatementSchema = z.strictObject({
  type: z.literal('renewal'),
  organizationId: idSchema,
  networkId: idSchema,
  nodeId: nodeIdSchema,
  credential: statementHashSchema,
  issuedAt: timeSchema,
  expiresAt: timeSchema,
});
export type RenewalStatement = z.infer<typeof renewalStatementSchema>;

/** Lets the holder of one key be a member without a controller, once, within these limits. */
export const voucherStatementSchema = z.strictObject({
  type: z.literal('voucher'),
  organizationId: idSchema,
  networkId: idSchema,
  voucherId: idSchema,
  vni: z.int().min(1).max(0xff_ffff),
  key: publicKeySchema.describe('its private half is in the join token'),
  addresses: z.array(ipSchema).max(16),
  groups: z.array(nameSchema).max(MEMBER_GROUPS_MAX),
  issuedAt: timeSchema,
  expiresAt: timeSchema.describe('to be used before; what it made ends stalenessDays later'),
});
export type VoucherStatement = z.infer<typeof voucherStatementSchema>;

/**
 * What a node says of itself that was let in by a voucher: the voucher, and the credential that its
 * key vouches for. Signed by the voucher's key.
 */
export const introductionStatementSchema = z.strictObject({
  type: z.literal('introduction'),
  voucher: signedStatementSchema,
  credential: credentialStatementSchema,
});
export type IntroductionStatement = z.infer<typeof introductionStatementSchema>;

export const statementSchema = z.discriminatedUnion('type', [
  authorityStatementSchema,
  networkStatementSchema,
  credentialStatementSchema,
  revocationStatementSchema,
  rosterStatementSchema,
  renewalStatementSchema,
  voucherStatementSchema,
  introductionStatementSchema,
]);
export type Statement = z.infer<typeof statementSchema>;

/** Shows that a roster commits to the credential, without all the others. */
export const inclusionSchema = z.strictObject({
  roster: statementHashSchema.describe('of the roster that it is proved against'),
  proof: z.string().max(ROSTER_PROOF_CHARS_MAX).describe('docs/trust.md 4'),
});
export type Inclusion = z.infer<typeof inclusionSchema>;

/** A member's credential, and the renewal that holds it up. */
export const memberProofSchema = z.strictObject({
  credential: signedStatementSchema,
  renewal: signedStatementSchema.nullable(),
  inclusion: inclusionSchema.optional().describe('in a network that is not held whole'),
});
export type MemberProof = z.infer<typeof memberProofSchema>;

/** Everything by which a network's state is proved. */
export const networkProofSchema = z.strictObject({
  network: signedStatementSchema,
  roster: signedStatementSchema,
  revocations: z.array(signedStatementSchema).max(NETWORK_REVOCATIONS_MAX),
  members: z.record(nodeIdSchema, memberProofSchema),
  formerRosters: z
    .array(signedStatementSchema)
    .max(INTEREST_MAX + 1)
    .optional()
    .describe('those that members were proved against when they were told last; on disk'),
});
export type NetworkProof = z.infer<typeof networkProofSchema>;

/** What differs between two lists of revocations. */
export const revocationNewsSchema = z.strictObject({
  added: z.array(signedStatementSchema).max(NETWORK_REVOCATIONS_MAX),
  gone: z.array(statementHashSchema).max(NETWORK_REVOCATIONS_MAX),
});
export type RevocationNews = z.infer<typeof revocationNewsSchema>;

/** The proof of a part of a network's members. */
export const partialProofSchema = z.strictObject({
  network: signedStatementSchema,
  roster: signedStatementSchema,
  revocations: z
    .array(signedStatementSchema)
    .max(NETWORK_REVOCATIONS_MAX)
    .optional()
    .describe('all of them; left out: as before, but for the news'),
  revocationNews: revocationNewsSchema
    .optional()
    .describe('against those of the revision that the agent holds; the roster commits to the sum'),
  members: z
    .record(nodeIdSchema, memberProofSchema)
    .describe('of those that are named, each with its inclusion in this roster'),
});
export type PartialProof = z.infer<typeof partialProofSchema>;

/** What of a proof differs after a change; what is left out stays. */
export const networkProofDeltaSchema = z.strictObject({
  network: signedStatementSchema.optional(),
  roster: signedStatementSchema.optional(),
  revocations: z
    .array(signedStatementSchema)
    .max(NETWORK_REVOCATIONS_MAX)
    .optional()
    .describe('all of them, when any changed'),
  members: z.record(nodeIdSchema, memberProofSchema).describe('added and changed ones'),
});
export type NetworkProofDelta = z.infer<typeof networkProofDeltaSchema>;

/** A node's place in the ratchet: proved by the secret, which nobody else ever held. */
export const leaseSchema = z.strictObject({
  epoch: z.int().nonnegative(),
  secret: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  nextHash: statementHashSchema.describe('SHA-256 of the next secret, stored by the agent before'),
});
export type Lease = z.infer<typeof leaseSchema>;

/** What a host knows of itself; hints, which a copied disk or a guest may repeat. */
export const hostHintsSchema = z.strictObject({
  bootId: z.string().max(64).nullable(),
  machineId: z.string().max(64).nullable(),
  cloudInstanceId: z.string().max(128).nullable(),
  vmGenerationId: z.string().max(64).nullable(),
});
export type HostHints = z.infer<typeof hostHintsSchema>;
