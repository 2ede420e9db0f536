import { ConfigError } from "../errors.ts";
import type { ConnectionParameters } from "./parameters.ts";
import { alternatives, wordOf } from "./values.ts";

/** What the parameters say about Kerberos. */
export interface GssSettings {
  /** Whether GSSAPI encryption is used; `prefer` means none where there is no provider. */
  readonly gssencmode: "disable" | "prefer" | "require";
  /** The Kerberos service name of the server. */
  readonly krbsrvname: string;
  /** Which library is used on Windows. */
  readonly gsslib: "gssapi" | "sspi" | undefined;
  /** Whether credentials are passed on to the server. */
  readonly gssdelegation: boolean;
}

const LIBRARIES = ["gssapi", "sspi"] as const;

/**
 * Judges the parameters about Kerberos.
 *
 * @throws {ConfigError} For a word that is none.
 */
export function resolveGss(parameters: ConnectionParameters): GssSettings {
  return {
    gssencmode: wordOf("gssencmode", parameters.gssencmode ?? "prefer", [
      "disable",
      "prefer",
      "require",
    ]),
    krbsrvname: parameters.krbsrvname || "postgres",
    gsslib: libraryOf(parameters.gsslib),
    // libpq looks at the first character only.
    gssdelegation: parameters.gssdelegation?.startsWith("1") ?? false,
  };
}

function libraryOf(text: string | undefined): GssSettings["gsslib"] {
  if (text === undefined || text === "") return undefined;
  const library = LIBRARIES.find((known) => known === text.toLowerCase());
  if (library !== undefined) return library;
  throw new ConfigError(`Cannot use gsslib "${text}": it must be ${alternatives(LIBRARIES)}`, {
    keyword: "gsslib",
  });
}
