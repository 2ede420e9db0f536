import { showText } from "../auth/display.ts";
import type { OAuthDiscovery } from "../auth/oauth_discovery.ts";
import { PolicyError } from "../errors.ts";
import { flowError, objectIn, textIn } from "./answer.ts";
import type { HttpClient } from "./http.ts";

/** Where an issuer takes the two requests of the device flow. */
export interface Endpoints {
  readonly deviceAuthorization: string;
  readonly token: string;
}

const WHAT = "the discovery document";

/**
 * Reads an issuer's discovery document (OpenID Connect Discovery 1.0, RFC 8414).
 *
 * @param allowHttp Whether the endpoints may be reached by http.
 * @throws {PolicyError} `issuer-mismatch` if it is another issuer's, `token-unavailable` if it cannot be had, or the
 *   issuer does not speak the device flow.
 */
export async function endpointsOf(
  { issuer, discoveryUrl }: Pick<OAuthDiscovery, "issuer" | "discoveryUrl">,
  http: HttpClient,
  { signal, allowHttp }: { readonly signal: AbortSignal; readonly allowHttp: boolean },
): Promise<Endpoints> {
  checkAddress(discoveryUrl, "the address of the discovery document", allowHttp);
  const headers = { accept: "application/json" };
  const response = await http({ method: "GET", url: discoveryUrl, headers, signal });
  if (response.status !== 200) {
    throw flowError(
      `${WHAT} at "${showText(discoveryUrl, 255)}" has HTTP status ${response.status}`,
    );
  }
  const document = objectIn(response, WHAT);
  const named = textIn(document, "issuer", WHAT);
  // RFC 8414 section 3.3, RFC 9207: octet by octet, or tokens of one issuer could be had in the name of another.
  if (named !== issuer) {
    throw new PolicyError(
      "issuer-mismatch",
      `Cannot trust the issuer of tokens: ${WHAT} at "${
        showText(discoveryUrl, 255)
      }" names issuer ` +
        `"${showText(named, 255)}", it must be "${showText(issuer, 255)}"`,
    );
  }
  const token = textIn(document, "token_endpoint", WHAT);
  if (!document.has("device_authorization_endpoint")) {
    throw flowError(
      `issuer "${showText(issuer, 255)}" does not provide a device authorization endpoint`,
      'Give a token by another way: the option "bearerToken" takes any callback',
    );
  }
  const deviceAuthorization = textIn(document, "device_authorization_endpoint", WHAT);
  checkAddress(token, "the token endpoint", allowHttp);
  checkAddress(deviceAuthorization, "the device authorization endpoint", allowHttp);
  return { token, deviceAuthorization };
}

/**
 * Codes, secrets and tokens go by TLS only.
 *
 * @throws {PolicyError} `token-unavailable` for an address that is none, or not of https.
 */
export function checkAddress(url: string, what: string, allowHttp: boolean): void {
  const protocol = URL.canParse(url) ? new URL(url).protocol : undefined;
  if (protocol === "https:" || (protocol === "http:" && allowHttp)) return;
  throw flowError(`${what} must use HTTPS, it is "${showText(url, 255)}"`);
}
