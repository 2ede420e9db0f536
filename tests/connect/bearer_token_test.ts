import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../src/connect/connect.ts";
import type { BearerTokenContext, ConnectOptions } from "../../src/connect/options.ts";
import { ping } from "../../src/connect/ping.ts";
import { ConnectionError, type PgHandshakeError, PolicyError } from "../../src/errors.ts";
import type { BackendMessage } from "../../src/wire/backend.ts";
import { printed } from "../handshake/secrets.ts";
import { settled } from "./deferred.ts";
import { errorResponse, type FakeServer, fakeServer, GREETING, type Play } from "./fake_server.ts";
import { rejection } from "./rejection.ts";
import { login } from "./logins.ts";
import { PLAIN } from "./sessions.ts";

const TOKEN = "sekrit-TOKEN.42~";
const ASK: BackendMessage = { type: "AuthenticationSASL", mechanisms: ["OAUTHBEARER"] };
const ISSUER = "https://issuer.test/tenant";
const DOCUMENT = `${ISSUER}/.well-known/openid-configuration`;
const WITH_ISSUER = {
  ...PLAIN,
  oauth_issuer: ISSUER,
  oauth_client_id: "app",
  oauth_client_secret: "hush",
};
const LATIN1 = new TextDecoder("latin1");

interface AskingOptions {
  readonly document?: string;
  readonly scope?: string;
  readonly accepts?: string;
}

/** Takes one token, and says where to get it for any other. */
function asking(options: AskingOptions = {}): Play {
  const { document = DOCUMENT, scope = "openid postgres", accepts = TOKEN } = options;
  return async (peer) => {
    await peer.packet();
    await peer.send(ASK);
    const message = await peer.message("sasl-initial");
    assert.ok(message.type === "SASLInitialResponse" && message.mechanism === "OAUTHBEARER");
    const data = LATIN1.decode(message.data);
    const token = data.slice("n,,\x01auth=".length, -2).replace("Bearer ", "");
    assert.equal(data, `n,,\x01auth=${token === "" ? "" : "Bearer "}${token}\x01\x01`);
    if (token === accepts) return await peer.send(...GREETING);
    const status = { status: "invalid_token", "openid-configuration": document, scope };
    await peer.send({
      type: "AuthenticationSASLContinue",
      data: new TextEncoder().encode(JSON.stringify(status)),
    });
    const dismissal = await peer.message("sasl");
    assert.deepEqual(dismissal, { type: "SASLResponse", data: Uint8Array.of(1) });
    await peer.send(errorResponse("28000", 'OAuth bearer authentication failed for user "app"'));
    await peer.end();
  };
}

async function failing(
  server: FakeServer,
  target: Readonly<Record<string, string>>,
  options: ConnectOptions,
): Promise<PgHandshakeError> {
  const error = await rejection(connect(target, { adapter: server.adapter, ...options }));
  await server.done();
  assert.ok(!printed(error).includes(TOKEN), "the error shows the token");
  return error;
}

test("a token as text is sent at once, on one connection", async () => {
  const server = fakeServer(asking());
  const session = await connect(PLAIN, { adapter: server.adapter, bearerToken: TOKEN });
  const { method, channelBound } = session.authentication;
  assert.deepEqual({ method, channelBound }, { method: "oauth", channelBound: false });
  await session.close();
  await server.done();
  assert.deepEqual(server.sent(), [["StartupMessage", "SASLInitialResponse", "Terminate"]]);
});

test("a callback that has a token is asked once, before anything is known", async () => {
  const told: BearerTokenContext[] = [];
  const server = fakeServer(asking());
  const bearerToken = (context: BearerTokenContext): string => (told.push(context), TOKEN);
  await login(server, { ...WITH_ISSUER, port: "5439" }, { bearerToken });
  assert.equal(told.length, 1);
  const { signal, clientSecret, ...rest } = told[0] as BearerTokenContext;
  assert.deepEqual(rest, {
    host: "127.0.0.1",
    port: 5439,
    user: "app",
    database: "shop",
    issuer: ISSUER,
    discoveryUrl: undefined,
    requestedScope: undefined,
    scope: undefined,
    clientId: "app",
    discovered: false,
    allowHttp: false,
  });
  assert.equal(signal.aborted, false);
  assert.equal(clientSecret?.reveal(), "hush");
  assert.ok(!printed(told[0]).includes("hush"));
});

test("a callback that has none is asked again with the server's word, and the server a second time", async () => {
  const told: BearerTokenContext[] = [];
  const events: string[] = [];
  const server = fakeServer(asking());
  const session = await connect(WITH_ISSUER, {
    adapter: server.adapter,
    bearerToken: async (context) => {
      told.push(context);
      if (!context.discovered) return undefined;
      // No connection is open while somebody logs in.
      await settled();
      assert.ok(server.peers.every(({ ended }) => ended));
      return TOKEN;
    },
    onEvent: (event) => {
      if (event.type !== "message") events.push(event.type);
    },
  });
  assert.deepEqual(
    told.map(({ discovered, issuer, discoveryUrl, scope }) => [
      discovered,
      issuer,
      discoveryUrl,
      scope,
    ]),
    [
      [false, ISSUER, undefined, undefined],
      [true, ISSUER, DOCUMENT, "openid postgres"],
    ],
  );
  // Invisible but for the report.
  assert.deepEqual(session.report.attempts.map(({ error }) => error?.code), [
    "token-missing",
    undefined,
  ]);
  assert.ok(!printed(session.report).includes(TOKEN));
  assert.deepEqual(events.filter((type) => type === "token-requested").length, 3);
  await session.close();
  await server.done();
  assert.deepEqual(server.sent(), [
    ["StartupMessage", "SASLInitialResponse", "SASLResponse"],
    ["StartupMessage", "SASLInitialResponse", "Terminate"],
  ]);
});

test("oauth_scope goes before the server's, an empty one too", async () => {
  for (const scope of ["mine", ""]) {
    const scopes: (string | undefined)[] = [];
    const bearerToken = ({ discovered, scope }: BearerTokenContext): string | undefined => {
      scopes.push(scope);
      return discovered ? TOKEN : undefined;
    };
    const server = fakeServer(asking());
    const target = `host=127.0.0.1 user=app dbname=shop sslmode=disable oauth_issuer=${ISSUER} ` +
      `oauth_scope='${scope}'`;
    const session = await connect(target, { adapter: server.adapter, bearerToken });
    await session.close();
    await server.done();
    assert.deepEqual(scopes, [scope, scope]);
  }
});

test("a discovery document as oauth_issuer is known before the server is asked", async () => {
  const told: (string | undefined)[] = [];
  const bearerToken = ({ issuer, discoveryUrl }: BearerTokenContext): string => {
    told.push(issuer, discoveryUrl);
    return TOKEN;
  };
  await login(fakeServer(asking()), { ...WITH_ISSUER, oauth_issuer: DOCUMENT }, { bearerToken });
  assert.deepEqual(told, [ISSUER, DOCUMENT]);
});

test("a token that is refused is not sent again", async () => {
  for (const bearerToken of ["wrong.TOKEN", () => "wrong.TOKEN"]) {
    const server = fakeServer(asking());
    const error = await failing(server, WITH_ISSUER, { bearerToken });
    const { code, sqlState, message } = error;
    assert.deepEqual([code, sqlState], ["server-error", "28000"]);
    assert.match(message, /refused the bearer token \("invalid_token"\); it wants one of "https:/);
    assert.ok(!printed(error).includes("wrong.TOKEN"));
    assert.equal(server.dials.length, 1);
  }
});

test("a token that was fetched and is refused ends it all, after two connections", async () => {
  const server = fakeServer(asking());
  const error = await failing(server, WITH_ISSUER, {
    bearerToken: ({ discovered }) => discovered ? "wrong" : undefined,
  });
  assert.equal(error.sqlState, "28000");
  assert.equal(server.dials.length, 2);
});

test("a server that forgets its word between two connections is asked no third time", async () => {
  let calls = 0;
  const server = fakeServer(asking({ accepts: "nothing" }));
  const error = await failing(server, WITH_ISSUER, {
    bearerToken: ({ discovered }) => (calls += 1, discovered ? TOKEN : undefined),
  });
  assert.equal(error.sqlState, "28000");
  assert.deepEqual([calls, server.dials.length], [2, 2]);
});

test("a callback without a token after the server's word", async () => {
  const server = fakeServer(asking());
  const error = await failing(server, WITH_ISSUER, { bearerToken: () => undefined });
  assert.equal(error.code, "token-missing");
  assert.equal(server.dials.length, 1);
});

test("a server that names another issuer gets no token, and nobody is asked for one", async () => {
  let calls = 0;
  const server = fakeServer(
    asking({ document: "https://evil.test/.well-known/openid-configuration" }),
  );
  const error = await failing(server, WITH_ISSUER, { bearerToken: () => (calls += 1, undefined) });
  assert.equal(error.code, "issuer-mismatch");
  assert.deepEqual([calls, server.dials.length], [1, 1]);
});

test("a token that was fetched for one server is given to no other", async () => {
  const told: string[] = [];
  const server = fakeServer(asking(), {
    onDial: (_address, dial) => {
      if (dial === 1) throw new ConnectionError("dial-failed", "refused");
    },
  });
  const bearerToken = ({ host, discovered }: BearerTokenContext): string | undefined => {
    told.push(`${host} ${discovered}`);
    return discovered ? TOKEN : undefined;
  };
  await login(server, { ...WITH_ISSUER, host: "127.0.0.1,127.0.0.2" }, { bearerToken });
  assert.deepEqual(told, [
    "127.0.0.1 false",
    "127.0.0.1 true",
    "127.0.0.2 false",
    "127.0.0.2 true",
  ]);
  assert.equal(server.dials.length, 4);
});

test("without oauth_issuer the server alone does not decide who is trusted", async () => {
  const error = await failing(fakeServer(asking()), PLAIN, { bearerToken: () => undefined });
  assert.equal(error.code, "token-unavailable");
  assert.match(error.message, /"oauth_issuer"/);
});

for (
  const [name, bearerToken] of [
    ["throws", () => {
      throw new Error("no network");
    }],
    ["rejects", () => Promise.reject(new Error("no network"))],
  ] as const
) {
  test(`a callback that ${name}`, async () => {
    const error = await failing(fakeServer(asking()), WITH_ISSUER, { bearerToken });
    assert.ok(error instanceof PolicyError);
    assert.equal(error.code, "token-unavailable");
    assert.equal((error.cause as Error).message, "no network");
  });
  test(`a callback that ${name} after the server's word`, async () => {
    const error = await failing(fakeServer(asking()), WITH_ISSUER, {
      bearerToken: ({ discovered }) => discovered ? bearerToken() : undefined,
    });
    assert.ok(error instanceof PolicyError);
    assert.equal(error.code, "token-unavailable");
  });
}

for (
  const token of ["", "a b", "Bearer abc", "a\nb", "a=b", "\u00e9", "a\x01b", "a".repeat(65_001)]
) {
  test(`no server could take ${JSON.stringify(token.slice(0, 12))} of ${token.length} characters`, async () => {
    const error = await failing(fakeServer(asking()), WITH_ISSUER, { bearerToken: token });
    assert.equal(error.code, "token-unavailable");
    if (token.length > 2) assert.ok(!printed(error).includes(token));
  });
}

test("the longest token", async () => {
  const accepts = "a".repeat(65_000);
  await login(fakeServer(asking({ accepts })), PLAIN, { bearerToken: accepts });
});

test("what is no text is no token", async () => {
  const bearerToken = (() => 42) as unknown as () => string;
  const error = await failing(fakeServer(asking()), WITH_ISSUER, { bearerToken });
  assert.match(error.message, /type "number"/);
});

test("a token goes to another machine by TLS only, unless allowed", async () => {
  const far = { ...WITH_ISSUER, host: "192.0.2.1" };
  const server = fakeServer(asking());
  const error = await failing(server, far, { bearerToken: TOKEN });
  assert.equal(error.code, "cleartext-forbidden");
  assert.deepEqual(server.sent(), [["StartupMessage"]]);
  await login(fakeServer(asking()), far, { bearerToken: TOKEN, allowCleartextPassword: true });
  const tls: Play = async (peer, connection) => {
    await peer.packet();
    await peer.send(Uint8Array.of(0x53));
    await asking()(peer, connection);
  };
  await login(fakeServer(tls), { ...far, sslmode: "require" }, { bearerToken: TOKEN });
});

test("a signal that fires while somebody logs in ends it at once", async () => {
  const controller = new AbortController();
  const server = fakeServer(asking());
  let seen: AbortSignal | undefined;
  const error = await failing(server, WITH_ISSUER, {
    signal: controller.signal,
    bearerToken: ({ discovered, signal }) => {
      if (!discovered) return undefined;
      seen = signal;
      controller.abort();
      return new Promise<string>(() => {});
    },
  });
  assert.equal(error.code, "aborted");
  assert.equal(seen?.aborted, true);
});

test("ping() needs no token to see that a server is there", async () => {
  const server = fakeServer(asking());
  assert.equal(await ping(PLAIN, { adapter: server.adapter }), "ok");
  await server.done();
});

test("a word of allowLegacyAuth that is none is refused before anything is dialed", async () => {
  const server = fakeServer(asking());
  const allowLegacyAuth = ["des"] as unknown as ["crypt"];
  const error = await failing(server, PLAIN, { allowLegacyAuth });
  assert.equal(error.code, "invalid-setting");
  assert.equal(server.dials.length, 0);
});

test("crypt is answered with the password's crypt(3), if it is allowed by name", async () => {
  const play: Play = async (peer) => {
    await peer.packet();
    await peer.send({ type: "AuthenticationCryptPassword", salt: new TextEncoder().encode("ab") });
    const message = await peer.message("password");
    assert.ok(message.type === "PasswordMessage");
    assert.equal(LATIN1.decode(message.password), "abJ32bJMdTsnY");
    await peer.send(...GREETING);
  };
  const methods: string[] = [];
  await login(fakeServer(play), PLAIN, {
    allowLegacyAuth: ["crypt"],
    password: ({ method }) => (methods.push(method), "pencil"),
  });
  assert.deepEqual(methods, ["crypt"]);
  const refused = fakeServer(play);
  const error = await failing(refused, PLAIN, { password: "pencil" });
  assert.equal(error.code, "auth-unsupported");
  assert.deepEqual(refused.sent(), [["StartupMessage"]]);
});
