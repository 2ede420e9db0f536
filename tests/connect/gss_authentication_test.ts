import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../src/connect/connect.ts";
import type { ConnectEvent, ConnectOptions } from "../../src/connect/options.ts";
import { ConnectionError } from "../../src/errors.ts";
import type { BackendMessage } from "../../src/wire/backend.ts";
import { FakeGss, type FakeGssOptions } from "../gss/fake_provider.ts";
import { allPrints } from "../hostile/silence.ts";
import { type FakeServer, fakeServer, GREETING, type Play, TARGET } from "./fake_server.ts";
import { SERVER_TOKEN } from "./gss_server.ts";
import { rejection } from "./rejection.ts";

const TOKEN: BackendMessage = { type: "AuthenticationGSSContinue", data: SERVER_TOKEN };

function asks(type: "AuthenticationGSS" | "AuthenticationSSPI", tokens = 1): Play {
  return async (peer) => {
    await peer.packet();
    await peer.send({ type });
    for (let count = 0; count < tokens; count++) {
      await peer.message("gss");
      await peer.send(TOKEN);
    }
    await peer.send(...GREETING);
  };
}

interface Run {
  readonly server: FakeServer;
  readonly gss: FakeGss;
  readonly events: ConnectEvent[];
  open(parameters?: Readonly<Record<string, string>>, options?: ConnectOptions): ReturnType<
    typeof connect
  >;
}

function run(play: Play, options: FakeGssOptions = {}): Run {
  const server = fakeServer(play);
  const gss = new FakeGss(options);
  const events: ConnectEvent[] = [];
  return {
    server,
    gss,
    events,
    open: (parameters, more) =>
      connect({
        ...TARGET,
        host: "db.test",
        hostaddr: "192.0.2.1",
        sslmode: "disable",
        gssencmode: "disable",
        ...parameters,
      }, {
        adapter: server.adapter,
        gss,
        onEvent: (event) => events.push(event),
        ...more,
      }),
  };
}

for (
  const [type, method, mechanism] of [
    ["AuthenticationGSS", "gss", "kerberos"],
    ["AuthenticationSSPI", "sspi", "negotiate"],
  ] as const
) {
  test(`${type} is answered by a context for krbsrvname@host, by ${mechanism}`, async () => {
    const one = run(asks(type));
    const session = await one.open({ krbsrvname: "db", gssdelegation: "1", require_auth: method });
    assert.equal(session.authentication.method, method);
    assert.deepEqual(one.gss.requests, [{
      service: "db",
      host: "db.test",
      mechanism,
      delegate: true,
      encrypt: false,
      library: undefined,
    }]);
    assert.deepEqual(one.gss.contexts[0]?.received, [undefined, SERVER_TOKEN]);
    assert.ok(one.gss.allDisposed, "the context is of no use after authentication");
    const asked = one.events.filter(({ type: kind }) => kind === "gss-requested");
    assert.deepEqual(asked.map((event) => event.type === "gss-requested" && event.service), [
      "db@db.test",
      "db@db.test",
    ]);
    await session.close();
    await one.server.done();
    assert.deepEqual(one.server.sent(), [["StartupMessage", "GSSResponse", "Terminate"]]);
  });
}

test("several tokens each way, and a last one of ours", async () => {
  const lastToken = new TextEncoder().encode("last");
  const one = run(async (peer) => {
    await peer.packet();
    await peer.send({ type: "AuthenticationSSPI" });
    for (let count = 0; count < 3; count++) {
      await peer.message("gss");
      await peer.send(TOKEN);
    }
    assert.deepEqual(await peer.message("gss"), { type: "GSSResponse", data: lastToken });
    await peer.send(...GREETING);
  }, { serverTokens: 3, lastToken });
  await (await one.open()).close();
  await one.server.done();
});

test("without a provider AuthenticationGSS is refused by name, and says what to import", async () => {
  const server = fakeServer(asks("AuthenticationGSS"));
  const error = await rejection(
    connect({ ...TARGET, sslmode: "disable" }, { adapter: server.adapter }),
  ) as ConnectionError;
  assert.equal(error.code, "auth-unsupported");
  assert.match(error.message, /GSSAPI.*option "gss".*gss\/deno.*gss\/bun.*gss\/node/);
  await server.done();
  assert.deepEqual(server.sent(), [["StartupMessage"]]);
});

for (const require_auth of ["gss", "sspi", "gss,sspi"]) {
  test(`require_auth=${require_auth} without a provider is refused before dialing`, async () => {
    const server = fakeServer(asks("AuthenticationGSS"));
    const error = await rejection(
      connect({ ...TARGET, require_auth }, { adapter: server.adapter }),
    ) as ConnectionError;
    assert.equal(error.code, "unsupported-setting");
    assert.match(error.message, /"require_auth".*gss\/deno.*gss\/bun.*gss\/node/);
    assert.equal(server.dials.length, 0);
  });
}

test("require_auth with another word besides is none of our business without a provider", async () => {
  const server = fakeServer(async (peer) => {
    await peer.packet();
    await peer.send({ type: "AuthenticationMD5Password", salt: new Uint8Array(4) });
    await peer.message("password");
    await peer.send(...GREETING);
  });
  const session = await connect(
    { ...TARGET, sslmode: "disable", require_auth: "gss,md5" },
    { adapter: server.adapter, password: "x" },
  );
  await session.close();
  await server.done();
});

test("channel_binding=require refuses AuthenticationGSS before a token is made", async () => {
  const one = run(asks("AuthenticationGSS"));
  const error = await rejection(
    one.open({ channel_binding: "require" }),
  ) as ConnectionError;
  assert.equal(error.code, "channel-binding");
  assert.deepEqual(one.gss.requests, []);
  await one.server.done();
});

for (
  const [where, parameters] of [
    ["only hostaddr", { host: "", hostaddr: "192.0.2.1" }],
    ["a Unix socket", { host: "/run/pg", hostaddr: "" }],
  ] as const
) {
  test(`with ${where} there is no name to authenticate`, async () => {
    const server = fakeServer(asks("AuthenticationGSS"));
    const gss = new FakeGss();
    const { host, hostaddr } = parameters;
    const error = await rejection(connect(
      {
        user: "app",
        dbname: "shop",
        sslmode: "disable",
        gssencmode: "disable",
        ...(host === "" ? {} : { host }),
        ...(hostaddr === "" ? {} : { hostaddr }),
      },
      { adapter: server.adapter, gss },
    )) as Error & { keyword?: string };
    assert.match(error.message, /host name must be specified/);
    assert.equal(error.keyword, "host");
    assert.deepEqual(gss.requests, []);
    await server.done();
  });
}

/** A server that lets the client in too early, and providers that fail. */
const FAILURES: readonly (readonly [
  what: string,
  play: Play,
  provider: FakeGssOptions,
  code: string,
])[] = [
  ["AuthenticationOk in place of a token", asks("AuthenticationGSS", 0), {}, "protocol-violation"],
  [
    "AuthenticationOk before the context is complete",
    asks("AuthenticationSSPI", 1),
    { serverTokens: 2 },
    "protocol-violation",
  ],
  [
    "a server that has not proved itself",
    asks("AuthenticationGSS"),
    { mutual: false },
    "server-not-verified",
  ],
  [
    "a provider that says why",
    asks("AuthenticationGSS"),
    {
      onStep: () =>
        Promise.reject(
          new ConnectionError("gss-failed", "Cannot: Ticket expired", { phase: "gss" }),
        ),
    },
    "gss-failed",
  ],
  [
    "a provider that throws what it likes",
    asks("AuthenticationGSS"),
    { onStep: () => Promise.reject(new RangeError("oops")) },
    "gss-failed",
  ],
  [
    "a provider that makes no context",
    asks("AuthenticationGSS"),
    { onContext: () => Promise.reject(new RangeError("oops")) },
    "gss-failed",
  ],
];

for (const [what, play, provider, code] of FAILURES) {
  test(`${what} ends the connection with ${code}, and it is not tried again`, async () => {
    const one = run(play, provider);
    const error = await rejection(one.open({ sslmode: "allow" })) as ConnectionError;
    assert.deepEqual([error.code, error.phase], [code, "authenticate"], error.message);
    assert.ok(one.gss.allDisposed);
    assert.equal(one.server.dials.length, 1);
  });
}

test("nothing of a context is shown by errors, events or the session", async () => {
  const one = run(asks("AuthenticationGSS"));
  const session = await one.open();
  const all = allPrints(session) + allPrints(one.events);
  for (const secret of ["client token", "server token"]) assert.ok(!all.includes(secret), secret);
  await session.close();
  await one.server.done();
});
