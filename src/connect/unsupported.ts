import { GSS_OPTION } from "../auth/methods.ts";
import { ConfigError } from "../errors.ts";
import type { Keyword } from "../settings/keywords.ts";
import type { Settings } from "../settings/resolve.ts";

/** A setting nothing here can honour yet: when it would matter, and what to say. */
interface Unsupported {
  readonly keyword: Keyword;
  readonly because: string;
  /** `gss` says whether there is a GSSAPI provider. */
  matters(settings: Settings, gss: boolean): boolean;
}

const UNSUPPORTED: readonly Unsupported[] = [
  {
    keyword: "gssencmode",
    because: `there is no GSSAPI provider; give one by ${GSS_OPTION}`,
    matters: ({ gssencmode }, gss) => gssencmode === "require" && !gss,
  },
  {
    keyword: "gssencmode",
    because: "GSSAPI encryption required but it is not supported over a local socket",
    matters: ({ gssencmode, hosts }) =>
      gssencmode === "require" && hosts.some(({ kind }) => kind === "unix"),
  },
  {
    keyword: "require_auth",
    because: `it allows nothing but GSSAPI, and there is no provider; give one by ${GSS_OPTION}`,
    matters: ({ requireAuth }, gss) =>
      !gss && requireAuth.required && requireAuth.allowed.size > 0 &&
      [...requireAuth.allowed].every((word) => word === "gss" || word === "sspi"),
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
export function refuseUnsupported(settings: Settings, gss: boolean): void {
  const found = UNSUPPORTED.find(({ keyword, matters }) =>
    settings.explicit.has(keyword) && matters(settings, gss)
  );
  if (found === undefined) return;
  throw new ConfigError(`Cannot honour "${found.keyword}": ${found.because}`, {
    code: "unsupported-setting",
    keyword: found.keyword,
  });
}
