import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { connect } from "../../src/connect/connect.ts";
import type { ConnectOptions } from "../../src/connect/options.ts";
import type { Session } from "../../src/connect/session.ts";
import { certificateText } from "../support/certificates.ts";
import { errorResponse, fakeServer, GREETING, LOCAL, type Play, trust } from "./fake_server.ts";
import { reasonOf } from "./rejection.ts";
import { ScramServer } from "./scram_server.ts";

const PASSWORD = "correct-horse";
const PASSPHRASE = "battery-staple";
/** The key of GREETING as hexadecimal and as decimal octets, the password and the passphrase. */
const SECRETS =
  /correct-horse|battery-staple|cafebabe|202,\s*254,\s*186,\s*190|"0":202,"1":254|PRIVATE KEY/i;

const PLAIN = { ...LOCAL, sslmode: "disable", password: PASSWORD };

/** Everything people print with. */
function prints(value: unknown): readonly string[] {
  const scope = globalThis as unknown as {
    Deno?: { inspect(value: unknown, options: object): string };
    Bun?: { inspect(value: unknown, options: object): string };
  };
  const deep = { depth: 20, showHidden: true };
  return [
    String(value),
    JSON.stringify(value) ?? "",
    inspect(value, deep),
    scope.Deno?.inspect(value, deep) ?? "",
    scope.Bun?.inspect(value, deep) ?? "",
    value instanceof Error ? `${value.message} ${value.stack}` : "",
  ];
}

function assertSilent(value: unknown): void {
  for (const print of prints(value)) assert.doesNotMatch(print, SECRETS);
}

test("what the other tests look for is found where it is shown", () => {
  for (const shown of [PASSWORD, PASSPHRASE, Uint8Array.of(0xca, 0xfe, 0xba, 0xbe)]) {
    assert.ok(prints({ shown }).some((print) => SECRETS.test(print)));
  }
});

async function open(): Promise<Session> {
  const server = fakeServer(async (peer) => {
    await peer.packet();
    const scram = new ScramServer(peer, { password: PASSWORD });
    await scram.first();
    const data = await scram.proof();
    await peer.send({ type: "AuthenticationSASLFinal", data }, ...GREETING);
  });
  const certificate = {
    sslcert: certificateText("client.crt"),
    sslkey: certificateText("client-encrypted.key"),
    sslpassword: PASSPHRASE,
  };
  return await connect({ ...PLAIN, ...certificate }, { adapter: server.adapter });
}

test("no print of a session shows a secret", async () => {
  const session = await open();
  assertSilent(session);
  assertSilent(session.report);
  assertSilent(session.authentication);
  assertSilent(session.address);
  const detached = session.detach();
  assertSilent(detached.facts);
  assertSilent(detached.facts.cancelKey);
  assertSilent(detached.transport);
  detached.transport.close();
});

test("the keys of an object target are not changed", async () => {
  const target = Object.freeze({ ...PLAIN });
  const server = fakeServer(trust);
  await (await connect(target, { adapter: server.adapter })).close();
});

const FAILURES: readonly {
  readonly name: string;
  readonly play: Play;
  readonly target?: string | Readonly<Record<string, string>>;
  readonly options?: ConnectOptions;
}[] = [
  {
    name: "a refused password",
    play: async (peer) => {
      await peer.packet();
      await peer.send({ type: "AuthenticationCleartextPassword" });
      await peer.message("password");
      await peer.send(errorResponse("28P01", "password authentication failed"));
    },
  },
  {
    name: "a proof that is not verified",
    play: async (peer) => {
      await peer.packet();
      const scram = new ScramServer(peer, { password: PASSWORD });
      await scram.first();
      await scram.proof();
      const data = new TextEncoder().encode("e=other-error");
      await peer.send({ type: "AuthenticationSASLFinal", data });
    },
  },
  {
    name: "a server that goes away",
    play: async (peer) => {
      await peer.packet();
      await peer.send(...GREETING.slice(0, -1));
      await peer.end();
    },
  },
  {
    name: "several hosts",
    target: { ...PLAIN, host: "127.0.0.1,127.0.0.2" },
    play: async (peer) => {
      await peer.packet();
      await peer.end();
    },
  },
  { name: "a setting that is wrong", target: { ...PLAIN, sslmode: "maybe" }, play: trust },
  { name: "a setting that is not known", target: `password=${PASSWORD} nonsense=1`, play: trust },
  {
    name: "a URI whose password is not encoded",
    target: `postgres://app:${PASSWORD}@x@db.test/`,
    play: trust,
  },
  {
    name: "a password that is impossible",
    play: async (peer) => {
      await peer.packet();
      await peer.send({ type: "AuthenticationCleartextPassword" });
    },
    options: { password: `${PASSWORD}\0` },
  },
];

for (const { name, play, target = PLAIN, options = {} } of FAILURES) {
  test(`no print of the error for ${name} shows a secret`, async () => {
    const server = fakeServer(play);
    const error = await reasonOf(connect(target, { adapter: server.adapter, ...options }));
    assertSilent(error);
    assertSilent((error as { attempts?: unknown }).attempts);
  });
}
