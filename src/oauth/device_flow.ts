import type { BearerTokenContext } from "../connect/options.ts";
import { PolicyError } from "../errors.ts";
import { Secret } from "../settings/secret.ts";
import {
  flowError,
  objectIn,
  optionalTextIn,
  refusalIn,
  refusalText,
  secondsIn,
  textIn,
} from "./answer.ts";
import { type Credentials, credentialsOf } from "./credentials.ts";
import type { HttpClient } from "./http.ts";
import { checkAddress, endpointsOf } from "./metadata.ts";

/** What to show to whoever logs in. */
export interface DevicePrompt {
  /** The page to open. */
  readonly verificationUri: string;
  /** The code to type there. */
  readonly userCode: string;
  /** The page with the code filled in; undefined if the issuer has none. */
  readonly verificationUriComplete: string | undefined;
  /** How long the code is good for, in seconds. */
  readonly expiresInS: number;
  /** Fires when nobody needs to log in any more. */
  readonly signal: AbortSignal;
}

/** A token, and how long it is good for. */
export interface IssuedToken {
  readonly token: Secret<string>;
  /** In seconds; undefined if the issuer does not say. */
  readonly expiresInS: number | undefined;
}

/** What a flow needs of the world. */
export interface FlowMeans {
  readonly http: HttpClient;
  /** Waits, or rejects as soon as the signal fires. */
  wait(seconds: number, signal: AbortSignal): Promise<void>;
  /** Seconds since some moment. */
  now(): number;
  onPrompt(prompt: DevicePrompt): void | Promise<void>;
}

const GRANT = "urn:ietf:params:oauth:grant-type:device_code";
/** RFC 8628 section 3.2. */
const DEFAULT_INTERVAL_S = 5;
/** RFC 8628 section 3.5. */
const SLOW_DOWN_S = 5;

/**
 * The device authorization grant (RFC 8628) as libpq 18 goes about it: the user is asked once the token endpoint has
 * answered, which shows that it is there.
 *
 * @param context Whom it is for, after the server has said where tokens come from.
 * @throws {PolicyError} `token-unavailable` or `issuer-mismatch`.
 */
export async function runDeviceFlow(
  context: BearerTokenContext,
  means: FlowMeans,
): Promise<IssuedToken> {
  const { issuer, discoveryUrl, signal, allowHttp } = context;
  if (issuer === undefined || discoveryUrl === undefined) {
    throw flowError("nobody has said where the discovery document is", 'Set "oauth_issuer"');
  }
  const credentials = credentialsOf(context);
  const endpoints = await endpointsOf({ issuer, discoveryUrl }, means.http, { signal, allowHttp });
  const code = await authorizeDevice(endpoints.deviceAuthorization, context, credentials, means);
  return await new Polling(endpoints.token, context, { code, credentials, means }).run();
}

interface DeviceCode {
  readonly deviceCode: Secret<string>;
  readonly prompt: Omit<DevicePrompt, "signal">;
  readonly intervalS: number;
}

const DEVICE_ANSWER = "the answer of the device authorization endpoint";

async function authorizeDevice(
  url: string,
  { scope, signal, allowHttp }: BearerTokenContext,
  credentials: Credentials,
  { http }: FlowMeans,
): Promise<DeviceCode> {
  const form = { ...(scope === undefined || scope === "" ? {} : { scope }), ...credentials.form };
  const response = await http(post(url, form, credentials, signal));
  if (response.status !== 200) {
    const refusal = refusalIn(response, DEVICE_ANSWER);
    throw flowError(
      `the issuer refuses to begin: ${refusalText(refusal, credentials.secrets)}`,
      'Check "oauth_client_id", "oauth_client_secret" and "oauth_scope"',
    );
  }
  const answer = objectIn(response, DEVICE_ANSWER);
  // The second name is what drafts of RFC 8628 called it, and some issuers still do.
  const name = answer.has("verification_uri") ? "verification_uri" : "verification_url";
  const verificationUri = textIn(answer, name, DEVICE_ANSWER);
  const complete = optionalTextIn(answer, "verification_uri_complete", DEVICE_ANSWER);
  checkAddress(verificationUri, "the page to log in at", allowHttp);
  if (complete !== undefined) checkAddress(complete, "the page to log in at", allowHttp);
  const expiresInS = secondsIn(answer, "expires_in", DEVICE_ANSWER);
  if (expiresInS === undefined) throw flowError(`${DEVICE_ANSWER} has no "expires_in"`);
  const intervalS = secondsIn(answer, "interval", DEVICE_ANSWER) ?? DEFAULT_INTERVAL_S;
  return {
    deviceCode: new Secret(textIn(answer, "device_code", DEVICE_ANSWER)),
    prompt: {
      verificationUri,
      userCode: textIn(answer, "user_code", DEVICE_ANSWER),
      verificationUriComplete: complete,
      expiresInS,
    },
    // Without a pause only where issuers are debugged, as in libpq.
    intervalS: allowHttp ? intervalS : Math.max(intervalS, 1),
  };
}

const TOKEN_ANSWER = "the answer of the token endpoint";

/** Asks for the token until the user has logged in. */
class Polling {
  readonly #url: string;
  readonly #context: BearerTokenContext;
  readonly #code: DeviceCode;
  readonly #credentials: Credentials;
  readonly #means: FlowMeans;
  readonly #endsAt: number;
  #intervalS: number;

  constructor(
    url: string,
    context: BearerTokenContext,
    given: {
      readonly code: DeviceCode;
      readonly credentials: Credentials;
      readonly means: FlowMeans;
    },
  ) {
    this.#url = url;
    this.#context = context;
    this.#code = given.code;
    this.#credentials = given.credentials;
    this.#means = given.means;
    this.#endsAt = given.means.now() + given.code.prompt.expiresInS;
    this.#intervalS = given.code.intervalS;
  }

  async run(): Promise<IssuedToken> {
    const { wait, now, onPrompt } = this.#means;
    const { signal } = this.#context;
    const first = await this.#ask();
    if (first !== undefined) return first;
    await onPrompt({ ...this.#code.prompt, signal });
    for (;;) {
      const left = this.#endsAt - now();
      if (left <= 0) throw expired("it was not used in time");
      await wait(Math.min(this.#intervalS, left), signal);
      const token = await this.#ask();
      if (token !== undefined) return token;
    }
  }

  /** Undefined while nobody has logged in yet. */
  async #ask(): Promise<IssuedToken | undefined> {
    const deviceCode = this.#code.deviceCode.reveal();
    const form = { grant_type: GRANT, device_code: deviceCode, ...this.#credentials.form };
    const { signal } = this.#context;
    const response = await this.#means.http(post(this.#url, form, this.#credentials, signal));
    if (response.status === 200) return tokenIn(objectIn(response, TOKEN_ANSWER));
    const refusal = refusalIn(response, TOKEN_ANSWER);
    const said = refusalText(refusal, [...this.#credentials.secrets, deviceCode]);
    switch (refusal.error) {
      case "authorization_pending":
        return undefined;
      case "slow_down":
        this.#intervalS += SLOW_DOWN_S;
        return undefined;
      case "expired_token":
        throw expired(said);
      case "access_denied":
        throw flowError(`whoever was asked to log in has refused: ${said}`);
      default:
        throw flowError(
          `the issuer refuses: ${said}`,
          'Check "oauth_client_id" and "oauth_client_secret"',
        );
    }
  }
}

function expired(why: string): Error {
  return flowError(`the code to log in with has expired: ${why}`, "Connect again for a new one");
}

function tokenIn(answer: ReturnType<typeof objectIn>): IssuedToken {
  textIn(answer, "token_type", TOKEN_ANSWER);
  return {
    token: new Secret(textIn(answer, "access_token", TOKEN_ANSWER)),
    expiresInS: lifetimeIn(answer),
  };
}

/** Somebody has just logged in: a token is not thrown away because it is not said, or not well, how long it is good. */
function lifetimeIn(answer: ReturnType<typeof objectIn>): number | undefined {
  try {
    return secondsIn(answer, "expires_in", TOKEN_ANSWER);
  } catch (error) {
    if (error instanceof PolicyError) return undefined;
    throw error;
  }
}

function post(
  url: string,
  form: Readonly<Record<string, string>>,
  { headers }: Credentials,
  signal: AbortSignal,
): Parameters<HttpClient>[0] {
  return {
    method: "POST",
    url,
    headers: {
      ...headers,
      "accept": "application/json",
      "content-type": "application/x-www-form-urlencoded",
    },
    body: new URLSearchParams(form).toString(),
    signal,
  };
}
