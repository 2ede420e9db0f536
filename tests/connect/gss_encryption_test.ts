import "../support/guard.ts";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { connect } from "../../src/connect/connect.ts";
import type { ConnectEvent, ConnectOptions } from "../../src/connect/options.ts";
import type { Session } from "../../src/connect/session.ts";
import { gssFrame } from "../../src/wire/gss_frames.ts";
import { FakeGss, type FakeGssOptions, OVERHEAD } from "../gss/fake_provider.ts";
import {
  errorResponse,
  type FakeServer,
  fakeServer,
  GREETING,
  type Play,
  TARGET,
  trust,
} from "./fake_server.ts";
import { encrypt, encrypted, G, N, S, SERVER_TOKEN, takeToken } from "./gss_server.ts";
import { rejection } from "./rejection.ts";
import { IDLE, rows } from "./sessions.ts";

const SERVICE = "postgres@192.0.2.1";
type Keywords = Readonly<Record<string, string>>;

interface Run {
  readonly server: FakeServer;
  readonly gss: FakeGss;
  open(parameters?: Keywords, options?: ConnectOptions): Promise<Session>;
}

function run(play: Play, options: FakeGssOptions = {}): Run {
  const server = fakeServer(play);
  const gss = new FakeGss(options);
  return {
    server,
    gss,
    open: (parameters, more) =>
      connect({ ...TARGET, sslmode: "disable", ...parameters }, {
        adapter: server.adapter,
        gss,
        ...more,
      }),
  };
}

async function fails(
  one: Run,
  parameters: Keywords,
  code: string,
  phase: string,
  options: ConnectOptions = {},
): Promise<Error> {
  const error = await rejection(one.open(parameters, options)) as Error & {
    code: string;
    phase: string;
  };
  assert.deepEqual([error.code, error.phase], [code, phase], error.message);
  await one.server.done();
  assert.ok(one.gss.allDisposed, "a context is left");
  return error;
}

test("with a provider gssencmode=prefer encrypts, before TLS, and says so", async () => {
  const one = run(encrypted);
  const events: ConnectEvent[] = [];
  const session = await one.open({ sslmode: "verify-full", sslrootcert: "system" }, {
    onEvent: (event) => events.push(event),
  });
  assert.deepEqual(session.channel, {
    kind: "gss",
    local: false,
    gss: { service: SERVICE, delegated: false },
  });
  assert.equal(session.authentication.method, "gss");
  assert.deepEqual(one.gss.requests, [{
    service: "postgres",
    host: "192.0.2.1",
    mechanism: "kerberos",
    delegate: false,
    encrypt: true,
    library: undefined,
  }]);
  assert.equal(session.report.attempts[0]?.encryption, "gss-request");
  assert.ok(events.some((event) => event.type === "secured" && event.channel.kind === "gss"));
  await session.close();
  await one.server.done();
  assert.deepEqual(one.server.sent(), [["GSSENCRequest", "token", "StartupMessage", "Terminate"]]);
  assert.ok(one.gss.allDisposed);
});

test("nothing of a session is on the wire in clear", async () => {
  const one = run(async (peer) => {
    await encrypt(peer);
    await peer.packet();
    await peer.send({ type: "AuthenticationCleartextPassword" });
    await peer.message("password");
    await peer.send(...GREETING);
    await peer.message();
    await peer.send(...rows(["text"], ["the answer"]), IDLE);
  });
  const wire: Uint8Array[] = [];
  const dial = one.server.adapter.dial.bind(one.server.adapter);
  const adapter = {
    ...one.server.adapter,
    async dial(...args: Parameters<typeof dial>) {
      const transport = await dial(...args);
      const write = transport.write.bind(transport);
      transport.write = (octets) => {
        wire.push(octets.slice());
        return write(octets);
      };
      return transport;
    },
  };
  const session = await one.open({}, { password: "pencil", adapter });
  assert.equal(session.authentication.method, "password");
  const [result] = await session.query("select secret");
  assert.deepEqual(result?.rows, [["the answer"]]);
  await session.close();
  await one.server.done();
  const text = Buffer.concat(wire).toString("latin1");
  for (const secret of ["pencil", "select secret", "shop"]) assert.ok(!text.includes(secret));
});

test("without a provider, or credentials, prefer means no GSSAPI, and nobody is asked about it", async () => {
  const without = run(trust, { credentials: false });
  await (await without.open()).close();
  assert.deepEqual(without.server.sent(), [["StartupMessage", "Terminate"]]);
  assert.equal(without.gss.asked, 1);
  const server = fakeServer(trust);
  await (await connect({ ...TARGET, sslmode: "disable" }, { adapter: server.adapter })).close();
  assert.deepEqual(server.sent(), [["StartupMessage", "Terminate"]]);
});

test("gssencmode=disable does not even look for credentials", async () => {
  const one = run(trust);
  await (await one.open({ gssencmode: "disable" })).close();
  assert.deepEqual([one.gss.asked, one.gss.requests], [0, []]);
  assert.deepEqual(one.server.sent(), [["StartupMessage", "Terminate"]]);
});

test("where channel binding is required prefer means no GSSAPI, which cannot be bound", async () => {
  const one = run(async (peer) => {
    await peer.packet();
    await peer.send(N);
  });
  await rejection(one.open({ sslmode: "require", channel_binding: "require" }));
  await one.server.done();
  assert.deepEqual([one.gss.asked, one.server.sent()], [0, [["SSLRequest"]]]);
});

test("over a Unix socket prefer means no GSSAPI, and require is refused before dialing", async () => {
  const one = run(trust);
  await (await one.open({ host: "/run/pg" })).close();
  assert.equal(one.gss.asked, 0);
  const error = await rejection(one.open({ host: "/run/pg", gssencmode: "require" })) as Error;
  assert.match(error.message, /"gssencmode".*local socket/);
  assert.equal(one.server.dials.length, 1);
});

test("gssencmode=require without credentials fails before dialing, with Kerberos' own words", async () => {
  const one = run(trust, { credentials: false });
  const error = await fails(one, { gssencmode: "require" }, "gss-failed", "settings");
  assert.match(error.message, /No Kerberos credentials available \(default cache: FAKE:\)/);
  assert.equal(one.server.dials.length, 0);
});

test("gssencmode=require without a provider names what to import", async () => {
  const server = fakeServer(trust);
  const error = await rejection(
    connect({ ...TARGET, gssencmode: "require" }, { adapter: server.adapter }),
  ) as Error & { code: string };
  assert.equal(error.code, "unsupported-setting");
  assert.match(
    error.message,
    /pg-handshake\/gss\/deno.*pg-handshake\/gss\/bun.*pg-handshake\/gss\/node/,
  );
  assert.equal(server.dials.length, 0);
});

test("krbsrvname, gssdelegation and gsslib reach the provider", async () => {
  const one = run(encrypted);
  const session = await one.open({
    krbsrvname: "db",
    gssdelegation: "1",
    gsslib: "gssapi",
    gssencmode: "require",
  });
  const [request] = one.gss.requests;
  assert.deepEqual([request?.service, request?.delegate, request?.library], ["db", true, "gssapi"]);
  assert.ok(session.channel.kind === "gss" && session.channel.gss.delegated);
  await session.close();
  await one.server.done();
});

test("N to GSSENCRequest: the same socket goes on with SSLRequest, then in plaintext", async () => {
  const one = run(async (peer) => {
    await peer.packet();
    await peer.send(N);
    await peer.packet();
    await peer.send(N);
    await peer.packet();
    await peer.send(...GREETING);
  });
  const session = await one.open({ sslmode: "prefer" });
  assert.deepEqual(session.channel, { kind: "plain", local: false });
  await session.close();
  await one.server.done();
  assert.deepEqual(one.server.sent(), [[
    "GSSENCRequest",
    "SSLRequest",
    "StartupMessage",
    "Terminate",
  ]]);
});

test("N to GSSENCRequest: TLS on the same socket, which is cancelled by SSLRequest alone", async () => {
  const one = run(async (peer, connection) => {
    if (connection === 0) {
      await peer.packet();
      await peer.send(N);
    }
    await peer.packet();
    await peer.send(S);
    if (connection === 0) {
      await peer.packet();
      await peer.send(...GREETING);
    } else {
      await peer.packet();
      await peer.end();
    }
  });
  const session = await one.open({ sslmode: "require" });
  assert.equal(session.channel.kind, "tls");
  await session.cancel();
  await session.close();
  await one.server.done();
  assert.deepEqual(one.server.sent(), [
    ["GSSENCRequest", "SSLRequest", "StartupMessage", "Terminate"],
    ["SSLRequest", "CancelRequest"],
  ]);
});

test("N where GSSAPI encryption is required", async () => {
  const one = run(async (peer) => {
    await peer.packet();
    await peer.send(N);
  });
  const error = await fails(one, { gssencmode: "require" }, "gss-refused", "negotiate");
  assert.match(error.message, /GSSAPI encryption required but it was rejected by server/);
});

test("an error of a server before 12 leads to a new socket without GSSAPI", async () => {
  const one = run(async (peer, connection) => {
    await peer.packet();
    if (connection === 0) await peer.send(errorResponse("0A000", "unsupported frontend protocol"));
    else await peer.send(...GREETING);
  });
  await (await one.open()).close();
  await one.server.done();
  assert.deepEqual(one.server.sent(), [["GSSENCRequest"], ["StartupMessage", "Terminate"]]);
});

test("a ticket that cannot be had leads to TLS or plaintext under prefer, and ends it under require", async () => {
  const failing = (): Promise<void> => Promise.reject(new TypeError("no ticket"));
  const play: Play = async (peer, connection) => {
    await peer.packet();
    if (connection === 0) await peer.send(G);
    else await peer.send(...GREETING);
  };
  const one = run(play, { onStep: failing });
  await (await one.open()).close();
  await one.server.done();
  assert.deepEqual(one.server.sent(), [["GSSENCRequest"], ["StartupMessage", "Terminate"]]);
  assert.ok(one.gss.allDisposed);
  const strict = run(play, { onStep: failing });
  const error = await fails(strict, { gssencmode: "require" }, "gss-failed", "gss");
  assert.equal((error.cause as Error).message, "no ticket");
});

test("a cancel goes encrypted too, and never in clear", async () => {
  const answers: Uint8Array[] = [];
  const one = run(async (peer, connection) => {
    if (connection === 0) return await encrypted(peer, connection);
    const [answer] = answers;
    if (answer !== undefined) {
      await peer.packet();
      await peer.send(answer);
      return;
    }
    await encrypt(peer);
    await peer.packet();
    await peer.end();
  });
  const session = await one.open();
  await session.cancel();
  answers.push(N);
  const refused = await rejection(session.cancel()) as { code?: string };
  assert.equal(refused.code, "gss-refused");
  await session.close();
  await one.server.done();
  assert.deepEqual(one.server.sent(), [
    ["GSSENCRequest", "token", "StartupMessage", "Terminate"],
    ["GSSENCRequest", "token", "CancelRequest"],
    ["GSSENCRequest"],
  ]);
  assert.ok(one.gss.allDisposed);
});

test("a flight longer than a packet is cut, and put together again", async () => {
  const text = "x".repeat(100_000);
  const one = run(async (peer) => {
    await encrypted(peer, 0);
    const query = await peer.message();
    assert.ok(query.type === "Query" && query.text === text);
    await peer.send(...rows(["text"], [text]), IDLE);
  });
  const session = await one.open();
  const [result] = await session.query(text);
  assert.deepEqual(result?.rows, [[text]]);
  await session.close();
  await one.server.done();
});

/** What a server does in place of setting the encryption up, and what comes of it. */
const HOSTILE: readonly (readonly [
  what: string,
  play: Play,
  code: string,
  phase: string,
  provider?: FakeGssOptions,
])[] = [
  [
    "octets behind G",
    (peer) => ask(peer, Buffer.concat([G, gssFrame(SERVER_TOKEN)])),
    "protocol-violation",
    "negotiate",
  ],
  [
    "a token before ours",
    async (peer) => {
      await ask(peer, G);
      await peer.send(gssFrame(SERVER_TOKEN), gssFrame(SERVER_TOKEN));
    },
    "protocol-violation",
    "gss",
  ],
  [
    "an error in clear in place of a token",
    async (peer) => {
      await ask(peer, G);
      await takeToken(peer);
      await peer.send(new TextEncoder().encode("Ecould not accept"));
    },
    "gss-failed",
    "gss",
  ],
  [
    "a frame longer than any",
    async (peer) => {
      await ask(peer, G);
      await takeToken(peer);
      await peer.send(Uint8Array.of(0, 0, 0xff, 0xfd));
    },
    "protocol-violation",
    "gss",
  ],
  [
    "an empty frame",
    async (peer) => {
      await ask(peer, G);
      await takeToken(peer);
      await peer.send(Uint8Array.of(0, 0, 0, 0));
    },
    "protocol-violation",
    "gss",
  ],
  [
    "octets behind the last token",
    async (peer) => {
      await ask(peer, G);
      await takeToken(peer);
      await peer.send(gssFrame(SERVER_TOKEN), Uint8Array.of(0x52));
    },
    "protocol-violation",
    "gss",
  ],
  [
    "the end in place of a token",
    async (peer) => {
      await ask(peer, G);
      await takeToken(peer);
      await peer.end();
    },
    "connection-lost",
    "gss",
  ],
  ["tokens without end", (peer) => encrypt(peer, 16), "protocol-violation", "gss", {
    serverTokens: 100,
  }],
  [
    "a context that does not prove the server",
    (peer) => encrypt(peer),
    "server-not-verified",
    "gss",
    {
      mutual: false,
    },
  ],
  ["a context that cannot encrypt", (peer) => encrypt(peer), "gss-failed", "gss", {
    confidential: false,
  }],
  ["a context with tiny packets", (peer) => encrypt(peer), "gss-failed", "gss", { maxPlain: 0 }],
  [
    "a welcome in clear after the context",
    async (peer) => {
      await ask(peer, G);
      await takeToken(peer);
      await peer.send(gssFrame(SERVER_TOKEN));
      await takeToken(peer);
      await peer.send(...GREETING);
    },
    "protocol-violation",
    "start-up",
  ],
  [
    "a forged packet",
    async (peer) => {
      await ask(peer, G);
      await takeToken(peer);
      await peer.send(gssFrame(SERVER_TOKEN));
      await takeToken(peer);
      await peer.send(gssFrame(new Uint8Array(OVERHEAD + 9).fill(0x52)));
    },
    "gss-failed",
    "start-up",
  ],
  [
    "the end in a packet",
    async (peer) => {
      await ask(peer, G);
      await takeToken(peer);
      await peer.send(gssFrame(SERVER_TOKEN));
      await takeToken(peer);
      await peer.send(Uint8Array.of(0, 0, 1, 0, 1, 2, 3));
      await peer.end();
    },
    "connection-lost",
    "start-up",
  ],
];

async function ask(peer: Parameters<Play>[0], answer: Uint8Array): Promise<void> {
  await peer.packet();
  await peer.send(answer);
}

for (const [what, play, code, phase, provider] of HOSTILE) {
  test(`${what} ends the connection with ${code}, and nothing is sent in clear`, async () => {
    const one = run(play, provider);
    await fails(one, { gssencmode: "require" }, code, phase, { password: "pencil" });
    assert.equal(one.server.dials.length, 1);
    assert.ok(!one.server.sent().flat().includes("StartupMessage"));
  });
}

test("the deadline holds while the provider waits, and what it made is released", async () => {
  const never = new Promise<void>(() => {});
  for (const options of [{ onStep: () => never }, { onContext: () => never }]) {
    const one = run((peer) => ask(peer, G), options);
    const controller = new AbortController();
    const ending = fails(one, { gssencmode: "require" }, "aborted", "gss", {
      signal: controller.signal,
      onEvent: (event) => {
        if (event.type === "message" && event.name === "GSSENCResponse") {
          queueMicrotask(() => controller.abort());
        }
      },
    });
    await ending;
  }
});
