/** What `server_version` says, as text and as libpq's number. */
export interface ServerVersion {
  /** As the server reports it, for example "18.6 (Debian 18.6-1)"; empty if it reported none. */
  readonly text: string;
  /** As PQserverVersion counts: 180006 for 18.6, 90624 for 9.6.24; 0 if it cannot be read. */
  readonly number: number;
}

/**
 * Reads `server_version` by libpq's rules (pqSaveParameterStatus): three parts before PostgreSQL 10, two from then
 * on, whatever follows is ignored.
 */
export function readServerVersion(text: string | undefined): ServerVersion {
  const found = /^([0-9]{1,5})(?:\.([0-9]{1,4}))?(?:\.([0-9]{1,4}))?/.exec(text ?? "");
  if (text === undefined || found === null) return { text: text ?? "", number: 0 };
  const [major, minor, patch] = [found[1], found[2], found[3]].map((part) => Number(part ?? 0));
  const isModern = (major ?? 0) >= 10 && found[3] === undefined;
  return {
    text,
    number: (major ?? 0) * 10_000 + (isModern ? minor ?? 0 : (minor ?? 0) * 100 + (patch ?? 0)),
  };
}
