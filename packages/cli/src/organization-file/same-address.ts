/** Whether two texts are one address: an IPv6 address has many. */

/** The one text of an address. */
function canonical(address: string): string {
  // The WHATWG URL parser writes IPv6 addresses in their shortest form.
  return address.includes(':') ? new URL(`http://[${address}]`).hostname : address;
}

/** Of addresses that a schema has checked. */
export function sameAddress(one: string, other: string): boolean {
  return canonical(one) === canonical(other);
}

/** Of prefixes, or of none; `wanted` undefined: anything is as wanted. */
export function samePrefix(wanted: string | null | undefined, held: string | null): boolean {
  if (wanted === undefined || wanted === held) return true;
  if (wanted === null || held === null) return false;
  const [one = '', oneLength] = wanted.split('/');
  const [other = '', otherLength] = held.split('/');
  return oneLength === otherLength && sameAddress(one, other);
}
