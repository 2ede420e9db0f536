import { ConnectionError, PgHandshakeError } from "../errors.ts";
import type { GssProvider } from "../gss/provider.ts";
import type { GssMode } from "../plan/moves.ts";
import type { Settings } from "../settings/resolve.ts";
import { Clock } from "./clock.ts";
import { providerFailure } from "./gss_transport.ts";

/**
 * What `gssencmode` comes to: as in libpq `prefer` means nothing without a provider, and nothing without credentials,
 * while `require` fails there; unlike in libpq `prefer` means nothing where `channel_binding` is required.
 *
 * @throws {ConnectionError} `gss-failed` if encryption is required and there are no credentials, with the library's words.
 * @throws {ConfigError} If the library cannot be loaded.
 */
export async function gssMode(
  settings: Settings,
  provider: GssProvider,
  signal: AbortSignal | undefined,
): Promise<GssMode> {
  const { gssencmode, gsslib: library, hosts, channelBinding } = settings;
  if (gssencmode === "disable") return "never";
  // Channel binding is TLS's alone: libpq would encrypt by GSSAPI all the same, and then fail.
  if (gssencmode === "prefer" && channelBinding === "require") return "never";
  if (!hosts.some(({ kind }) => kind === "tcp")) return "never";
  const clock = new Clock(signal, undefined);
  try {
    const credentials = await clock.race(provider.findCredentials({ library }), "settings");
    if (credentials.found) return gssencmode;
    if (gssencmode === "prefer") return "never";
    throw new ConnectionError(
      "gss-failed",
      `GSSAPI encryption required but no credential cache: ${credentials.why}`,
      { phase: "settings", hint: "Get a ticket (kinit), or choose another gssencmode" },
    );
  } catch (error) {
    if (error instanceof PgHandshakeError) throw error;
    throw providerFailure(error, "gss");
  } finally {
    clock.stop();
  }
}
