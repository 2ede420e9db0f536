import { ConfigError } from "../errors.ts";
import type { Keyword } from "../settings/keywords.ts";
import type { Settings } from "../settings/resolve.ts";

/** A setting nothing here can honour yet: when it would matter, and what to say. */
interface Unsupported {
  readonly keyword: Keyword;
  readonly because: string;
  matters(settings: Settings): boolean;
}

const UNSUPPORTED: readonly Unsupported[] = [
  {
    keyword: "gssencmode",
    because: "there is no GSSAPI provider",
    matters: ({ gssencmode }) => gssencmode === "require",
  },
  {
    keyword: "requirepeer",
    because: "no runtime tells whose process listens at a Unix socket",
    matters: ({ hosts, requirepeer }) =>
      requirepeer !== undefined && hosts.some(({ kind }) => kind === "unix"),
  },
  {
    keyword: "sslcertmode",
    because: "no runtime tells whether the server asked for a certificate",
    matters: ({ sslcertmode }) => sslcertmode === "require",
  },
  {
    keyword: "sslkeylogfile",
    because: "keys of TLS sessions are not written anywhere",
    matters: ({ sslkeylogfile }) => sslkeylogfile !== undefined,
  },
];

/**
 * Refuses what was asked for and cannot be done anywhere, before anything is dialed.
 *
 * @throws {ConfigError} `unsupported-setting`, naming the keyword.
 */
export function refuseUnsupported(settings: Settings): void {
  const found = UNSUPPORTED.find(({ keyword, matters }) =>
    settings.explicit.has(keyword) && matters(settings)
  );
  if (found === undefined) return;
  throw new ConfigError(`Cannot honour "${found.keyword}": ${found.because}`, {
    code: "unsupported-setting",
    keyword: found.keyword,
  });
}
