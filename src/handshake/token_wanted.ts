import type { OAuthDiscovery } from "../auth/oauth_discovery.ts";
import { PolicyError } from "../errors.ts";

/**
 * The end of a connection that was made to learn where bearer tokens come from: with a token of there, the next one to
 * the same server may succeed. `connect()` does that by itself, once.
 */
export class TokenWanted extends PolicyError {
  /** Where the token is to come from. */
  readonly discovery: OAuthDiscovery;

  /** Called by the machine. */
  constructor(discovery: OAuthDiscovery) {
    super(
      "token-missing",
      "The server has said where bearer tokens come from: connect again with one",
    );
    this.discovery = discovery;
  }
}
