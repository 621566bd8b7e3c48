/** What `ip -j -d addr show` says, reduced to what the agent decides on. */
import { z } from 'zod';

const addressSchema = z.looseObject({
  family: z.string(),
  local: z.string().optional(),
  prefixlen: z.int().optional(),
  scope: z.string().optional(),
  deprecated: z.boolean().optional(),
  temporary: z.boolean().optional(),
  tentative: z.boolean().optional(),
  dadfailed: z.boolean().optional(),
});

const linkSchema = z.looseObject({
  ifname: z.string(),
  flags: z.array(z.string()).default([]),
  mtu: z.int(),
  address: z.string().optional(),
  ifalias: z.string().optional(),
  link_type: z.string().optional(),
  linkinfo: z
    .looseObject({
      info_kind: z.string().optional(),
      info_data: z
        .looseObject({
          type: z.string().optional(),
          vnet_hdr: z.boolean().optional(),
          multi_queue: z.boolean().optional(),
        })
        .optional(),
    })
    .optional(),
  addr_info: z.array(addressSchema).default([]),
});

/** An address of an interface. */
export interface ActualAddress {
  readonly ip: string;
  readonly prefixLength: number;
  readonly scope: string;
  readonly isDeprecated: boolean;
  readonly isTemporary: boolean;
  /** Not usable: duplicate detection runs or has failed. */
  readonly isUnusable: boolean;
}

/** An interface of the host. */
export interface ActualInterface {
  readonly name: string;
  readonly alias: string;
  readonly isUp: boolean;
  readonly isLoopback: boolean;
  readonly mac: string;
  readonly mtuBytes: number;
  /** "tun", "bridge", "veth" ...; empty for hardware. */
  readonly kind: string;
  /** A TAP device as the data path needs it. */
  readonly isUsableTap: boolean;
  readonly addresses: readonly ActualAddress[];
}

/** Reads the JSON that `ip -j -d addr show` prints. Throws for other text. */
export function parseIpAddrShow(text: string): ActualInterface[] {
  const links = z.array(z.unknown()).parse(JSON.parse(text === '' ? '[]' : text));
  // iproute2 prints {} for entries that a filter left out.
  return links.flatMap((link) => {
    const parsed = linkSchema.safeParse(link);
    return parsed.success ? [interfaceOf(parsed.data)] : [];
  });
}

function interfaceOf(link: z.infer<typeof linkSchema>): ActualInterface {
  const data = link.linkinfo?.info_data;
  return {
    name: link.ifname,
    alias: link.ifalias ?? '',
    isUp: link.flags.includes('UP'),
    isLoopback: link.flags.includes('LOOPBACK'),
    mac: link.address ?? '',
    mtuBytes: link.mtu,
    kind: link.linkinfo?.info_kind ?? '',
    isUsableTap: data?.type === 'tap' && data.vnet_hdr === true && data.multi_queue === true,
    addresses: link.addr_info.flatMap((address) =>
      address.local === undefined || address.prefixlen === undefined
        ? []
        : [addressOf(address, address.local, address.prefixlen)],
    ),
  };
}

function addressOf(
  address: z.infer<typeof addressSchema>,
  ip: string,
  prefixLength: number,
): ActualAddress {
  return {
    ip,
    prefixLength,
    scope: address.scope ?? '',
    isDeprecated: address.deprecated === true,
    isTemporary: address.temporary === true,
    isUnusable: address.tentative === true || address.dadfailed === true,
  };
}
