import type { ConnectionParameters } from "./parameters.ts";
import { Secret } from "./secret.ts";

/** What the parameters say about OAuth. */
export interface OAuthSettings {
  /** The issuer to trust, or the address of its discovery document. */
  readonly oauthIssuer: string | undefined;
  /** The name of this client at the issuer. */
  readonly oauthClientId: string | undefined;
  /** Its secret; an empty one is a secret too. */
  readonly oauthClientSecret: Secret<string> | undefined;
  /** The scope to ask for; an empty one keeps the server's away. */
  readonly oauthScope: string | undefined;
}

/** Reads the parameters about OAuth; libpq judges them only when the server asks for a token. */
export function resolveOAuth(parameters: ConnectionParameters): OAuthSettings {
  const secret = parameters.oauth_client_secret;
  return {
    oauthIssuer: parameters.oauth_issuer || undefined,
    oauthClientId: parameters.oauth_client_id || undefined,
    oauthClientSecret: secret === undefined ? undefined : new Secret(secret),
    oauthScope: parameters.oauth_scope,
  };
}
