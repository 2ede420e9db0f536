import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../src/connect/connect.ts";
import type { ConnectEvent } from "../../src/connect/options.ts";
import { ConfigError } from "../../src/errors.ts";
import type { Abilities } from "../../src/transport/transport.ts";
import { certificateText } from "../support/certificates.ts";
import { startScripted } from "../support/servers.ts";
import { encodeBackend } from "../../src/wire/backend.ts";
import { join } from "../support/vectors.ts";
import { fakeServer, GREETING, type Play, TARGET, trust } from "./fake_server.ts";
import { rejection } from "./rejection.ts";

const NAMED = { ...TARGET, host: "db.test" };
const ROOTS = certificateText("ca.crt");

/** What only an adapter with an ability can honour. */
interface Need {
  readonly keyword: string;
  readonly lacking: Partial<Abilities>;
  readonly target: Readonly<Record<string, string>>;
}

const NEEDS: readonly Need[] = [
  { keyword: "host", lacking: { unix: false }, target: { user: "app", host: "/run/pg" } },
  { keyword: "host", lacking: { abstractUnix: false }, target: { user: "app", host: "@pg" } },
  {
    keyword: "host",
    lacking: { unix: false },
    target: { ...NAMED, host: "db.test,/run/pg", sslmode: "disable" },
  },
  { keyword: "sslmode", lacking: { verify: ["full"] }, target: NAMED },
  { keyword: "sslmode", lacking: { verify: ["full"] }, target: { ...NAMED, sslmode: "require" } },
  { keyword: "sslmode", lacking: { verify: ["full"] }, target: { ...NAMED, sslmode: "allow" } },
  {
    keyword: "sslmode",
    lacking: { verify: ["none", "full"] },
    target: { ...NAMED, sslmode: "verify-ca", sslrootcert: ROOTS },
  },
  {
    keyword: "sslmode",
    lacking: { verify: ["none", "ca"] },
    target: { ...NAMED, sslrootcert: "system" },
  },
  { keyword: "channel_binding", lacking: { serverCertificate: false }, target: NAMED },
  {
    keyword: "channel_binding",
    lacking: { serverCertificate: false },
    target: { ...NAMED, channel_binding: "require", sslmode: "require" },
  },
  {
    keyword: "sslrootcert",
    lacking: { exclusiveRoots: false },
    target: { ...NAMED, sslmode: "verify-full", sslrootcert: ROOTS },
  },
  {
    keyword: "sslcert",
    lacking: { clientCertificate: false },
    target: {
      ...NAMED,
      sslmode: "require",
      sslcert: certificateText("client.crt"),
      sslkey: certificateText("client.key"),
    },
  },
  {
    keyword: "sslsni",
    lacking: { withoutSni: false },
    target: { ...NAMED, sslmode: "require", sslsni: "0" },
  },
  {
    keyword: "ssl_min_protocol_version",
    lacking: { versionBounds: ["TLSv1.2"] },
    target: { ...NAMED, sslmode: "require", ssl_min_protocol_version: "TLSv1.3" },
  },
  {
    keyword: "ssl_max_protocol_version",
    lacking: { versionBounds: [] },
    target: { ...NAMED, sslmode: "require", ssl_max_protocol_version: "TLSv1.2" },
  },
];

for (const { keyword, lacking, target } of NEEDS) {
  const ability = Object.keys(lacking).join();
  const { host, sslmode = "no sslmode" } = target;
  test(`an adapter without ${ability} is no adapter for ${host} with ${sslmode}: ${keyword} is named, nothing dialed`, async () => {
    const server = fakeServer(trust, {
      abilities: lacking,
      resolve: () => assert.fail("resolved"),
    });
    const error = await rejection(connect(target, { adapter: server.adapter }));
    assert.ok(error instanceof ConfigError, String(error));
    assert.deepEqual([error.code, error.keyword, error.phase], [
      "unsupported-setting",
      keyword,
      "settings",
    ]);
    assert.match(error.message, /^Cannot honour .*"fake"/);
    assert.ok(error.message.includes(keyword), error.message);
    assert.equal(server.dials.length, 0);
  });
}

/** What an adapter that can do nothing at all can still be used for. */
const WITHOUT: Partial<Abilities> = {
  unix: false,
  abstractUnix: false,
  serverCertificate: false,
  verify: [],
  exclusiveRoots: false,
  clientCertificate: false,
  versionBounds: [],
  withoutSni: false,
};

test("without TLS nothing but a socket is needed", async () => {
  const server = fakeServer(trust, { abilities: WITHOUT });
  const target = { ...TARGET, sslmode: "disable", channel_binding: "prefer" };
  await (await connect(target, { adapter: server.adapter })).close();
  await server.done();
});

test("a Unix socket needs no ability of TLS, whatever sslmode says", async () => {
  const server = fakeServer(trust, { abilities: { ...WITHOUT, unix: true } });
  const target = { user: "app", host: "/run/pg", sslmode: "verify-full" };
  await (await connect(target, { adapter: server.adapter })).close();
  await server.done();
});

const sslThenTrust: Play = async (peer, connection) => {
  await peer.packet();
  await peer.send(Uint8Array.of(0x53));
  await trust(peer, connection);
};

for (
  const { name, target } of [
    { name: "channel_binding is off", target: { channel_binding: "disable" } },
    { name: "SCRAM is not allowed", target: { require_auth: "md5,none" } },
  ]
) {
  test(`the server's certificate need not be shown where ${name}`, async () => {
    const server = fakeServer(sslThenTrust, {
      abilities: { serverCertificate: false, verify: ["full"] },
      tls: () => ({
        protocol: undefined,
        cipher: undefined,
        alpn: undefined,
        verified: "full",
        serverCertificate: undefined,
      }),
    });
    const session = await connect({ ...NAMED, sslrootcert: "system", ...target }, {
      adapter: server.adapter,
    });
    assert.equal(session.channel.kind === "tls" && session.channel.tls.verified, "full");
    await session.close();
    await server.done();
    assert.deepEqual(server.tlsRequests.map(({ roots, verify, host }) => [roots, verify, host]), [
      ["system", "full", "db.test"],
    ]);
  });
}

test("version bounds that hold anyway need no ability", async () => {
  const server = fakeServer(sslThenTrust, { abilities: { versionBounds: [] } });
  const target = {
    ...NAMED,
    sslmode: "require",
    ssl_min_protocol_version: "TLSv1.2",
    ssl_max_protocol_version: "TLSv1.3",
  };
  await (await connect(target, { adapter: server.adapter })).close();
  await server.done();
  const [request] = server.tlsRequests;
  assert.deepEqual([request?.minVersion, request?.maxVersion], ["TLSv1.2", "TLSv1.3"]);
});

const RUNTIME = "Deno" in globalThis ? "deno" : "Bun" in globalThis ? "bun" : "node";

/** Which adapter each runtime takes by itself. */
const CHOICES: readonly {
  readonly target: Readonly<Record<string, string>>;
  readonly deno: string;
}[] = [
  { target: { sslmode: "disable" }, deno: "deno" },
  { target: { sslmode: "require" }, deno: "node" },
];

for (const { target, deno } of CHOICES) {
  test(`with sslmode=${target["sslmode"]} the runtime's own sockets are taken if they can do it`, async () => {
    const greeting = join(...GREETING.map(encodeBackend));
    const encrypted = target["sslmode"] === "require";
    const server = await startScripted([
      { expect: "packet" },
      ...(encrypted ? [{ send: "53" }, { tls: "server" }, { expect: "packet" }] as const : []),
      { send: greeting },
      { wait: true },
    ]);
    try {
      const events: ConnectEvent[] = [];
      const session = await connect({
        host: "127.0.0.1",
        port: server.port,
        user: "app",
        ...target,
      }, { onEvent: (event) => events.push(event) });
      await session.close();
      const attempt = events.find((event) => event.type === "attempt");
      const expected = { deno, bun: "bun", node: "node" }[RUNTIME];
      assert.equal(attempt?.type === "attempt" && attempt.adapter, expected);
    } finally {
      await server.close();
    }
  });
}
