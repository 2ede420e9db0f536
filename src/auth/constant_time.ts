/**
 * Whether two octet strings are equal, without leaving early at the first difference.
 *
 * Lengths are public; only the content is guarded (CVE-2026-6478: compare proofs and hashes in
 * constant time).
 */
export function equalOctets(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let at = 0; at < a.length; at++) difference |= (a[at] ?? 0) ^ (b[at] ?? 0);
  return difference === 0;
}
