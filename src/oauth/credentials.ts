import type { BearerTokenContext } from "../connect/options.ts";
import { flowError } from "./answer.ts";

/** How this client shows who it is (RFC 6749 section 2.3.1). */
export interface Credentials {
  /** Fields of the form: the client's name, if it has no secret. */
  readonly form: Readonly<Record<string, string>>;
  /** HTTP Basic, if it has one. */
  readonly headers: Readonly<Record<string, string>>;
  /** What no error may repeat. */
  readonly secrets: readonly string[];
}

/**
 * Credentials by `oauth_client_id` and `oauth_client_secret`; an empty secret is one too, as in libpq.
 *
 * @throws {PolicyError} `token-unavailable` without a name.
 */
export function credentialsOf(
  { clientId, clientSecret }: Pick<BearerTokenContext, "clientId" | "clientSecret">,
): Credentials {
  if (clientId === undefined) {
    throw flowError('no "oauth_client_id" is set', "It is the name of this client at the issuer");
  }
  if (clientSecret === undefined) {
    return { form: { client_id: clientId }, headers: {}, secrets: [] };
  }
  const secret = clientSecret.reveal();
  const basic = btoa(`${formEncoded(clientId)}:${formEncoded(secret)}`);
  return { form: {}, headers: { authorization: `Basic ${basic}` }, secrets: [secret, basic] };
}

function formEncoded(text: string): string {
  return new URLSearchParams([["", text]]).toString().slice(1);
}
