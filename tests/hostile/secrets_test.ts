import "../support/guard.ts";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { connect } from "../../src/connect/connect.ts";
import type { ConnectEvent, ConnectOptions } from "../../src/connect/options.ts";
import { ping } from "../../src/connect/ping.ts";
import type { Session } from "../../src/connect/session.ts";
import { PgHandshakeError } from "../../src/errors.ts";
import type { Transport } from "../../src/transport/transport.ts";
import type { BackendMessage } from "../../src/wire/backend.ts";
import { repositoryRoot } from "../support/repository.ts";
import {
  errorResponse,
  fakeServer,
  forwarding,
  GREETING,
  LOCAL,
  type Play,
} from "../connect/fake_server.ts";
import type { Peer } from "../connect/peer.ts";
import { reasonOf } from "../connect/rejection.ts";
import { keysOf, ScramServer } from "../connect/scram_server.ts";
import { certificateText } from "../support/certificates.ts";
import { allPrints, assertSilent, type Secrets, shownIn } from "./silence.ts";

const PASSWORD = "correct-horse\u00e9";
const PASSPHRASE = "pass phrase";
const QUERY = "alter role app password 'swordfish'";
const CANCEL_KEY = Uint8Array.of(0xca, 0xfe, 0xba, 0xbe);
const PEM = certificateText("client-encrypted.key");
const SCRAM_SALT = Buffer.from("salt of a test");
const KEYS = keysOf({ password: PASSWORD, salt: SCRAM_SALT, iterations: 4096 });

const SECRETS: Secrets = {
  password: PASSWORD,
  passphrase: PASSPHRASE,
  ["private key"]: PEM.split("\n")[3] ?? "",
  ["cancel key"]: CANCEL_KEY,
  ClientKey: new Uint8Array(KEYS.client),
  ServerKey: new Uint8Array(KEYS.server),
  ["text of a query"]: "swordfish",
};

const TARGET = {
  ...LOCAL,
  sslmode: "require",
  password: PASSWORD,
  sslcert: certificateText("client.crt"),
  sslkey: PEM,
  sslpassword: PASSPHRASE,
};

/** Everything of the client's that only the server should see, found in what it got. */
function answersIn(peer: Peer | undefined): Secrets {
  const text = Buffer.concat(peer?.octets ?? []).toString("latin1");
  const proof = /,p=([A-Za-z0-9+/]{43}=)/.exec(text)?.[1];
  const md5 = /md5[0-9a-f]{32}/.exec(text)?.[0];
  return {
    ...(proof === undefined ? {} : { proof: new Uint8Array(Buffer.from(proof, "base64")) }),
    ...(md5 === undefined ? {} : { ["MD5 answer"]: md5 }),
  };
}

async function byScram(peer: Peer): Promise<void> {
  const scram = new ScramServer(peer, { password: PASSWORD });
  await scram.first();
  await peer.send({ type: "AuthenticationSASLFinal", data: await scram.proof() });
}

const METHODS: Readonly<Record<string, (peer: Peer) => Promise<void>>> = {
  "SCRAM": byScram,
  "MD5": async (peer) => {
    await peer.send({ type: "AuthenticationMD5Password", salt: Uint8Array.of(1, 2, 3, 4) });
    await peer.message("password");
  },
  "a password in clear": async (peer) => {
    await peer.send({ type: "AuthenticationCleartextPassword" });
    await peer.message("password");
  },
};

const WAYS: readonly (readonly [string, Readonly<Record<string, string>>, ConnectOptions])[] = [
  ["in the target", TARGET, {}],
  ["as text", { ...TARGET, password: "" }, { password: PASSWORD }],
  ["as octets", TARGET, { password: new TextEncoder().encode(PASSWORD) }],
  ["by a callback", TARGET, { password: () => Promise.resolve(PASSWORD) }],
];

for (const [method, authenticate] of Object.entries(METHODS)) {
  for (const [way, target, options] of WAYS) {
    test(`nothing of a session shows a secret: ${method}, the password ${way}`, async () => {
      const seen: (readonly [string, unknown])[] = [];
      let transport: Transport | undefined;
      const server = fakeServer(async (peer, connection) => {
        if (connection > 0) return await cancelled(peer);
        const packet = await peer.packet();
        if (packet.type === "SSLRequest") await peer.send(Uint8Array.of(0x53));
        await peer.packet();
        await authenticate(peer);
        await peer.send(...GREETING);
        await peer.message();
        await peer.send(...EMPTY);
      }, {
        wrap: (inner) => transport = forwarding(inner),
      });
      const note = (event: ConnectEvent): void => void seen.push([`event ${event.type}`, event]);
      const session = await connect(target, { ...options, adapter: server.adapter, onEvent: note });
      await session.query(QUERY);
      await session.cancel();
      seen.push(...membersOf(session), ["the transport", transport], ["adapter", server.adapter]);
      seen.push(["the endpoint", transport?.endpoint]);
      const { facts, leftover, transport: given } = session.detach();
      seen.push(["facts", facts], ["leftover", leftover], ["CancelKey", facts.cancelKey]);
      given.close();
      seen.push(["the closed transport", given], ["the detached session", session]);
      const secrets = { ...SECRETS, ...answersIn(server.peers[0]) };
      assert.equal(Object.keys(secrets).length > 7, method !== "a password in clear");
      for (const [where, value] of seen) assertSilent(value, secrets, where);
      assert.ok(seen.length > 25);
    });
  }
}

const EMPTY: readonly BackendMessage[] = [
  { type: "EmptyQueryResponse" },
  { type: "ReadyForQuery", status: "I" },
];

/** Takes a CancelRequest as the server does. */
async function cancelled(peer: Peer): Promise<void> {
  await peer.packet();
  await peer.send(Uint8Array.of(0x53));
  await peer.packet();
  await peer.end();
}

/** A session and whatever its getters give, those of its class included. */
function membersOf(session: Session): readonly (readonly [string, unknown])[] {
  const names = Object.entries(Object.getOwnPropertyDescriptors(Object.getPrototypeOf(session)))
    .filter(([, { get }]) => get !== undefined).map(([name]) => name);
  assert.ok(names.length >= 8);
  const values = [...names, "report"].map((name) => [name, Reflect.get(session, name)] as const);
  return [["the session", session], ...values];
}

const asked: Play = async (peer) => {
  await peer.packet();
  await peer.send(Uint8Array.of(0x53));
  await peer.packet();
};

const FAILURES: Readonly<Record<string, Play>> = {
  "the password is refused": async (peer, connection) => {
    await asked(peer, connection);
    await METHODS["a password in clear"]?.(peer);
    await peer.send(errorResponse("28P01", "password authentication failed"));
  },
  "the server says the password back": async (peer, connection) => {
    await asked(peer, connection);
    await peer.send({ type: "AuthenticationMD5Password", salt: Uint8Array.of(1, 2, 3, 4) });
    await peer.message("password");
    await peer.send(errorResponse("28P01", "no"));
  },
  "the proof is refused": async (peer, connection) => {
    await asked(peer, connection);
    const scram = new ScramServer(peer, { password: PASSWORD });
    await scram.first();
    await scram.proof();
    await peer.send({
      type: "AuthenticationSASLFinal",
      data: new TextEncoder().encode("e=invalid-proof"),
    });
  },
  "the signature is wrong": async (peer, connection) => {
    await asked(peer, connection);
    const scram = new ScramServer(peer, { password: PASSWORD });
    await scram.first();
    await scram.proof();
    const data = new TextEncoder().encode(`v=${Buffer.alloc(32).toString("base64")}`);
    await peer.send({ type: "AuthenticationSASLFinal", data });
  },
  "the stream breaks after the proof": async (peer, connection) => {
    await asked(peer, connection);
    const scram = new ScramServer(peer, { password: PASSWORD });
    await scram.first();
    await scram.proof();
    peer.break();
  },
  "the cancel key comes twice": async (peer, connection) => {
    await asked(peer, connection);
    const key = { type: "BackendKeyData", processId: 1, secretKey: CANCEL_KEY } as const;
    await peer.send({ type: "AuthenticationOk" }, key, key);
  },
  "there is nonsense behind the cancel key": async (peer, connection) => {
    await asked(peer, connection);
    await peer.send(...GREETING.slice(0, 3), Uint8Array.of(0, 0, 0, 0, 0, 0xca, 0xfe, 0xba, 0xbe));
  },
};

for (const [name, play] of Object.entries(FAILURES)) {
  for (const host of ["127.0.0.1", "127.0.0.1,127.0.0.2"]) {
    test(`no error, report or event shows a secret when ${name}: ${host}`, async () => {
      const server = fakeServer(play);
      const events: ConnectEvent[] = [];
      const options = { adapter: server.adapter, onEvent: (one: ConnectEvent) => events.push(one) };
      const error = await reasonOf(connect({ ...TARGET, host }, options));
      assert.ok(error instanceof Error);
      for (const peer of server.peers) {
        const secrets = { ...SECRETS, ...answersIn(peer) };
        assertSilent(error, secrets, "the error");
        if (error instanceof PgHandshakeError) assertSilent(error.attempts, secrets, "attempts");
        for (const event of events) assertSilent(event, secrets, event.type);
      }
      assert.ok(server.peers.length > 0);
    });
  }
}

test("an error of a callback is kept as the cause, which is the caller's own", async () => {
  const server = fakeServer(async (peer, connection) => {
    await asked(peer, connection);
    await peer.send({ type: "AuthenticationCleartextPassword" });
  });
  const failing = (): never => {
    throw new Error("the vault is closed");
  };
  const error = await reasonOf(connect(TARGET, { adapter: server.adapter, password: failing }));
  assertSilent(error, SECRETS, "the error");
  assert.match(allPrints(error), /the vault is closed/);
});

test("ping() sends no password", async () => {
  const server = fakeServer(FAILURES["the password is refused"] ?? asked);
  await ping(TARGET, { adapter: server.adapter });
  const text = Buffer.concat(server.peers.flatMap(({ octets }) => octets)).toString("utf8");
  assert.equal(shownIn(text, SECRETS), undefined);
});

test("what the other tests look for is found wherever it is shown", () => {
  for (const secret of Object.values(SECRETS)) {
    const octets = typeof secret === "string" ? new TextEncoder().encode(secret) : secret;
    const holders: readonly unknown[] = [
      { a: { b: { c: { d: { e: secret } } } } },
      { key: octets },
      { key: Buffer.from(octets) },
      { key: Buffer.from(octets).toString("base64") },
      { key: Buffer.from(octets).toString("hex") },
      { key: [...octets] },
      [...octets].join(","),
      new Map([["key", secret]]),
      new Error("no", { cause: new Error(Buffer.from(octets).toString("base64")) }),
      Object.defineProperty({}, "hidden", { value: secret, enumerable: false }),
    ];
    for (const holder of holders) {
      assert.ok(shownIn(allPrints(holder), { secret }) !== undefined, allPrints(holder));
    }
  }
});

test("the server's signature is compared in constant time, and by nothing else", () => {
  const read = (path: string): string => readFileSync(`${repositoryRoot()}/${path}`, "utf8");
  const source = read("src/auth/scram.ts");
  const body = /\n {2}serverFinal\([\s\S]*?\n {2}\}\n/.exec(source)?.[0] ?? "";
  assert.match(body, /!equalOctets\(signature, state\.serverSignature\)/);
  const compared = body.match(/\bsignature\b[^;\n]*(?:===|!==|==|!=|\.every|\.some)/i);
  assert.equal(compared, null);
  assert.match(source, /import \{ equalOctets \} from "\.\/constant_time\.ts";/);
  const equal = /export function equalOctets[\s\S]*\n\}\n/.exec(read("src/auth/constant_time.ts"));
  const loop = /\n {2}for \(.*\+\+\) (.*)\n/.exec(equal?.[0] ?? "")?.[1];
  assert.match(loop ?? "", /^difference \|= .* \^ .*;$/);
  assert.equal(equal?.[0].match(/\breturn\b/g)?.length, 2);
});
