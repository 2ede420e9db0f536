import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import type { BearerTokenContext } from "../../src/connect/options.ts";
import { type ErrorCode, PolicyError } from "../../src/errors.ts";
import { type DevicePrompt, runDeviceFlow } from "../../src/oauth/device_flow.ts";
import { fetchClient, MAX_RESPONSE_OCTETS } from "../../src/oauth/http.ts";
import { Secret } from "../../src/settings/secret.ts";
import { reasonOf } from "../connect/rejection.ts";
import { printed } from "../handshake/secrets.ts";
import {
  type AuthorizationServer,
  type Behaviour,
  contextOf,
  DEVICE_CODE,
  ISSUED,
  PENDING,
  refusing,
  startAuthorizationServer,
  TOKEN,
} from "./authorization_server.ts";

const SECRET = "hush: & %";

interface Flow {
  readonly server: AuthorizationServer;
  /** How long was waited each time, in seconds. */
  readonly waits: readonly number[];
  readonly prompts: readonly DevicePrompt[];
  readonly token: string | undefined;
  readonly error: unknown;
}

/** Plays a flow over http, without waiting for any time to pass. */
async function play(
  behaviour: Behaviour,
  changes: Partial<BearerTokenContext> = {},
  onPrompt: (prompt: DevicePrompt) => void = () => {},
): Promise<Flow> {
  const server = await startAuthorizationServer("http", behaviour);
  const waits: number[] = [];
  const prompts: DevicePrompt[] = [];
  let clock = 1_000;
  const context = contextOf(server, { scope: "openid", clientId: "app id", ...changes });
  try {
    const issued = await runDeviceFlow(context, {
      http: fetchClient,
      wait: (seconds, signal) => {
        waits.push(seconds);
        clock += seconds;
        return signal.aborted ? Promise.reject(signal.reason) : Promise.resolve();
      },
      now: () => clock,
      onPrompt: (prompt) => {
        prompts.push(prompt);
        onPrompt(prompt);
      },
    });
    assert.ok(!printed(issued).includes(`"${TOKEN}"`));
    return { server, waits, prompts, token: issued.token.reveal(), error: undefined };
  } catch (error) {
    return { server, waits, prompts, token: undefined, error };
  } finally {
    await server.close();
  }
}

function assertRefused(
  { error }: Flow,
  pattern: RegExp,
  code: ErrorCode = "token-unavailable",
): void {
  assert.ok(error instanceof PolicyError, String(error));
  assert.equal(error.code, code);
  assert.match(error.message, pattern);
  const all = printed(error);
  for (const secret of [DEVICE_CODE, SECRET, btoa(`app+id:hush%3A+%26+%25`)]) {
    assert.ok(!all.includes(secret), `the error shows ${secret}`);
  }
}

const GRANT = "urn:ietf:params:oauth:grant-type:device_code";

test("a user who has logged in already is not prompted", async () => {
  const { server, token, prompts, waits } = await play({});
  assert.deepEqual([token, prompts, waits], [TOKEN, [], []]);
  assert.deepEqual(server.received, [
    {
      method: "GET",
      path: "/.well-known/openid-configuration",
      authorization: undefined,
      form: {},
    },
    {
      method: "POST",
      path: "/device",
      authorization: undefined,
      form: { scope: "openid", client_id: "app id" },
    },
    {
      method: "POST",
      path: "/token",
      authorization: undefined,
      form: { grant_type: GRANT, device_code: DEVICE_CODE, client_id: "app id" },
    },
  ]);
});

test("the user is prompted once, and asked for at the issuer's interval", async () => {
  const device = (right: Readonly<Record<string, unknown>>) => ({
    body: { ...right, interval: 7, verification_uri_complete: `${right["verification_uri"]}?c` },
  });
  const flow = await play({ device, tokens: [PENDING, PENDING, PENDING, ISSUED] });
  assert.deepEqual([flow.token, flow.waits], [TOKEN, [7, 7, 7]]);
  assert.deepEqual(flow.prompts.map(({ signal: _, ...prompt }) => prompt), [{
    verificationUri: `${flow.server.issuer}/login`,
    userCode: "ABCD-1234",
    verificationUriComplete: `${flow.server.issuer}/login?c`,
    expiresInS: 600,
  }]);
});

test("slow_down makes every later wait five seconds longer", async () => {
  const slow = refusing("slow_down");
  const { waits, token } = await play({ tokens: [PENDING, slow, PENDING, slow, ISSUED] });
  assert.deepEqual([token, waits], [TOKEN, [1, 6, 6, 11]]);
});

for (
  const [interval, waited] of [[undefined, 5], [2.1, 3], [0, 0], ["4", 4]] as const
) {
  test(`an interval of ${interval} s`, async () => {
    const device = (right: Readonly<Record<string, unknown>>) => ({ body: { ...right, interval } });
    assert.deepEqual((await play({ device, tokens: [PENDING, ISSUED] })).waits, [waited]);
  });
}

test("a client with a secret shows it by HTTP Basic, form-encoded, and no name in the form", async () => {
  for (const secret of [SECRET, ""]) {
    const { server } = await play({}, { clientSecret: new Secret(secret), scope: "" });
    const [, device, token] = server.received;
    const basic = `Basic ${btoa(`app+id:${secret === "" ? "" : "hush%3A+%26+%25"}`)}`;
    assert.deepEqual([device?.authorization, token?.authorization], [basic, basic]);
    assert.deepEqual(device?.form, {});
    assert.deepEqual(Object.keys(token?.form ?? {}), ["grant_type", "device_code"]);
  }
});

test("the name of verification_uri in old drafts", async () => {
  const device = ({ verification_uri, ...right }: Readonly<Record<string, unknown>>) => ({
    body: { ...right, verification_url: verification_uri },
  });
  const { prompts, server } = await play({ device, tokens: [PENDING, ISSUED] });
  assert.equal(prompts[0]?.verificationUri, `${server.issuer}/login`);
});

const REFUSALS: readonly (readonly [error: string, pattern: RegExp])[] = [
  ["access_denied", /has refused: "access_denied"/],
  ["expired_token", /has expired: "expired_token"/],
  ["invalid_grant", /the issuer refuses: "invalid_grant"/],
  ["invalid_client", /refuses: "invalid_client".*oauth_client_secret/],
  ["unauthorized_client", /"unauthorized_client"/],
  ["unsupported_grant_type", /"unsupported_grant_type"/],
  ["invalid_request", /"invalid_request"/],
  ["a\u001b[2J", /control characters in "error"/],
];
for (const [error, pattern] of REFUSALS) {
  for (const tokens of [[refusing(error)], [PENDING, refusing(error, "so it is", 401)]]) {
    test(`${JSON.stringify(error)} of the token endpoint after ${tokens.length - 1} others`, async () => {
      const flow = await play({ tokens });
      assertRefused(flow, pattern);
      assert.equal(flow.server.received.length, 2 + tokens.length);
    });
  }
}

for (const error of ["invalid_client", "invalid_scope", "unauthorized_client"]) {
  test(`"${error}" of the device authorization endpoint`, async () => {
    const flow = await play({ device: () => refusing(error, "not \u001b[2J you", 401) });
    assertRefused(flow, new RegExp(`refuses to begin: "${error}" \\(not .u\\{1b\\}\\[2J you\\)`));
    assert.equal(flow.server.received.length, 2);
  });
}

test("a description that repeats a secret is shown without it", async () => {
  const says = `no ${SECRET} with ${DEVICE_CODE}`;
  const clientSecret = new Secret(SECRET);
  const flow = await play({ tokens: [refusing("invalid_client", says)] }, { clientSecret });
  assertRefused(flow, /\(no \(not shown\) with \(not shown\)\)/);
  const device = (): ReturnType<typeof refusing> => refusing("invalid_client", `no ${SECRET}`);
  assertRefused(await play({ device }, { clientSecret }), /\(no \(not shown\)\)/);
});

test("a code that nobody uses in time", async () => {
  const device = (right: Readonly<Record<string, unknown>>) => ({
    body: { ...right, expires_in: 5, interval: 2 },
  });
  const flow = await play({ device, tokens: [PENDING] });
  assertRefused(flow, /has expired: it was not used in time. Connect again/);
  assert.deepEqual(flow.waits, [2, 2, 1]);
});

const nested = (depth: number): string => `{"a":${"[".repeat(depth - 1)}${"]".repeat(depth - 1)}}`;
const BAD_ANSWERS: readonly (readonly [name: string, body: string, pattern: RegExp])[] = [
  ["no JSON", "<html>", /no JSON/],
  ["an array", "[]", /no JSON object/],
  ["too deep", nested(17), /more than 16 deep/],
  ["a member twice", '{"error":"a","error":"b"}', /twice/],
  ["too long", `{"a":"${"x".repeat(MAX_RESPONSE_OCTETS)}"}`, /more than 262144 octets/],
];
for (const [name, body, pattern] of BAD_ANSWERS) {
  test(`an answer that is ${name}`, async () => {
    assertRefused(await play({ discovery: () => ({ body }) }), pattern);
    assertRefused(await play({ device: () => ({ body }) }), pattern);
    assertRefused(await play({ tokens: [{ body }] }), pattern);
    assertRefused(await play({ tokens: [{ body, status: 400 }] }), pattern);
  });
}

test("an answer of another type, or of another status", async () => {
  for (const type of ["text/html", "application/jsonp", "text/plain; application/json"]) {
    assertRefused(await play({ tokens: [{ ...ISSUED, type }] }), /must be "application\/json"/);
  }
  const parameters = await play({
    tokens: [{ ...ISSUED, type: "Application/JSON ; charset=utf-8" }],
  });
  assert.equal(parameters.token, TOKEN);
  for (const status of [201, 204, 302, 403, 404, 500, 503]) {
    const answer = { status, body: status === 204 ? "" : "{}" };
    assertRefused(await play({ discovery: () => answer }), new RegExp(`HTTP status ${status}`));
    assertRefused(await play({ device: () => answer }), new RegExp(`HTTP status ${status}`));
    assertRefused(await play({ tokens: [answer] }), new RegExp(`HTTP status ${status}`));
  }
});

const changed =
  (changes: Readonly<Record<string, unknown>>): NonNullable<Behaviour["device"]> => (right) => ({
    body: Object.fromEntries(
      Object.entries({ ...right, ...changes }).filter(([, value]) => value !== undefined),
    ),
  });

test("a discovery document of another issuer", async () => {
  for (const issuer of ["https://evil.test", "http://127.0.0.1"]) {
    const flow = await play({ discovery: changed({ issuer }) });
    assertRefused(flow, /names issuer "http.*it must be "http:\/\/127/, "issuer-mismatch");
    assert.equal(flow.server.received.length, 1);
  }
});

for (
  const [name, value, pattern] of [
    ["issuer", undefined, /no "issuer"/],
    ["token_endpoint", undefined, /no "token_endpoint"/],
    ["token_endpoint", 7, /"token_endpoint" is no text/],
    ["token_endpoint", "ftp://a.test/", /token endpoint must use HTTPS/],
    ["token_endpoint", "/token", /token endpoint must use HTTPS/],
    ["device_authorization_endpoint", undefined, /does not provide a device authorization/],
    ["device_authorization_endpoint", "file:///etc/passwd", /must use HTTPS/],
  ] as const
) {
  test(`a discovery document with ${value} for ${name}`, async () => {
    const flow = await play({ discovery: changed({ [name]: value }) });
    assertRefused(flow, pattern);
    assert.equal(flow.server.received.length, 1);
  });
}

for (
  const [name, value, pattern] of [
    ["device_code", undefined, /no "device_code"/],
    ["user_code", undefined, /no "user_code"/],
    ["user_code", "A\u001b[2J", /control characters in "user_code"/],
    ["verification_uri", undefined, /no "verification_url"/],
    ["verification_uri", "javascript:alert(1)", /page to log in at must use HTTPS/],
    ["verification_uri_complete", "data:,a", /page to log in at must use HTTPS/],
    ["expires_in", undefined, /no "expires_in"/],
    ["expires_in", "soon", /no number of seconds for "expires_in"/],
    ["expires_in", -1, /no number of seconds/],
    ["interval", 1e12, /no number of seconds/],
    ["interval", null, /no number of seconds/],
  ] as const
) {
  test(`a device authorization with ${value} for ${name}`, async () => {
    assertRefused(await play({ device: changed({ [name]: value }) }), pattern);
  });
}

for (const body of [{ token_type: "Bearer" }, { access_token: "ok" }, { access_token: 1 }]) {
  test(`a token answer of ${JSON.stringify(body)}`, async () => {
    assertRefused(await play({ tokens: [{ body }] }), /no "(access_token|token_type)"/);
  });
}

test("http is refused unless the debug switch is on", async () => {
  const flow = await play({}, { allowHttp: false });
  assertRefused(flow, /discovery document must use HTTPS/);
  assert.equal(flow.server.received.length, 0);
});

test("without oauth_client_id nothing is asked", async () => {
  const flow = await play({}, { clientId: undefined });
  assertRefused(flow, /"oauth_client_id"/);
  assert.equal(flow.server.received.length, 0);
});

test("an issuer that is not there", async () => {
  const server = await startAuthorizationServer("http");
  await server.close();
  const { issuer, discoveryUrl } = server;
  assertRefused(await play({}, { issuer, discoveryUrl }), /Cannot reach the issuer of tokens at/);
});

test("a prompt that cannot be shown ends the flow", async () => {
  const broken = new Error("no screen");
  const { error } = await play({ tokens: [PENDING, ISSUED] }, {}, () => {
    throw broken;
  });
  assert.equal(error, broken);
});

test("a signal that fires while the user is asked ends the flow", async () => {
  const controller = new AbortController();
  const { error, server } = await play(
    { tokens: [PENDING] },
    { signal: controller.signal },
    () => controller.abort(),
  );
  assert.equal((error as Error).name, "AbortError");
  assert.equal(server.received.length, 3);
  const early = AbortSignal.abort();
  assert.ok(await reasonOf(Promise.reject((await play({}, { signal: early })).error)));
});
