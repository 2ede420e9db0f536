import "../support/guard.ts";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { scramKeys } from "../../src/auth/scram_keys.ts";
import { ScramExchange } from "../../src/auth/scram.ts";
import { Gate } from "../../src/auth/gate.ts";
import { connect } from "../../src/connect/connect.ts";
import { CancelHandshake } from "../../src/handshake/cancel.ts";
import { ClientHandshake } from "../../src/handshake/client.ts";
import { formatConnectionString } from "../../src/settings/format_connection_string.ts";
import { gatherParameters } from "../../src/settings/gather.ts";
import { KEYWORDS } from "../../src/settings/keyword_reference.ts";
import { type ConnectionParameters, redact } from "../../src/settings/parameters.ts";
import { parseConnectionString } from "../../src/settings/parse.ts";
import { findPassword } from "../../src/settings/password_file.ts";
import { resolveSettings } from "../../src/settings/resolve.ts";
import type { Adapter } from "../../src/transport/transport.ts";
import { fakeServer, LOCAL, trust } from "../connect/fake_server.ts";
import { reasonOf } from "../connect/rejection.ts";
import { converse, RFC7677_KEYS } from "../handshake/converse.ts";
import {
  cancelConfig,
  clientConfig,
  type HandshakeCase,
  handshakeCases,
  octets,
  scriptOf,
} from "../handshake/vector_case.ts";
import { policy } from "../support/auth_policy.ts";
import { certificateText } from "../support/certificates.ts";
import { startScripted } from "../support/servers.ts";
import { readVectors } from "../support/vectors.ts";
import { assertSilent, type Secrets, shownIn } from "./silence.ts";

const PASSWORD = "correct-horse\u00e9";
const PASSPHRASE = "pass phrase";
const PEM = certificateText("client-encrypted.key");
const CLIENT_KEY = Buffer.from(RFC7677_KEYS.clientKey).toString("base64");
const SERVER_KEY = Buffer.from(RFC7677_KEYS.serverKey).toString("base64");
const KEY_LINE = PEM.split("\n")[3] ?? "";

const SECRETS: Secrets = {
  password: PASSWORD,
  passphrase: PASSPHRASE,
  ClientKey: RFC7677_KEYS.clientKey,
  ServerKey: RFC7677_KEYS.serverKey,
  ["OAuth secret"]: "client-of-oauth",
};

const PARAMETERS: ConnectionParameters = {
  ...LOCAL,
  password: PASSWORD,
  sslpassword: PASSPHRASE,
  scram_client_key: CLIENT_KEY,
  scram_server_key: SERVER_KEY,
  oauth_client_secret: "client-of-oauth",
};

const loaded = await adapters();

test("every keyword that holds a secret is among those looked for", () => {
  const secret = KEYWORDS.filter(({ kind }) => kind === "secret").map(({ keyword }) => keyword);
  assert.deepEqual(secret.filter((keyword) => PARAMETERS[keyword] === undefined), []);
});

test("no print of settings, redacted parameters and formatted strings shows a secret", () => {
  assertSilent(resolveSettings(PARAMETERS), SECRETS, "Settings");
  assertSilent(redact(PARAMETERS), SECRETS, "redact()");
  for (const style of ["uri", "keyword"] as const) {
    const safe = formatConnectionString(PARAMETERS, { style });
    assertSilent(safe, SECRETS, style);
    const whole = formatConnectionString(PARAMETERS, { style, withSecrets: true });
    assert.notEqual(shownIn(whole, SECRETS), undefined);
    assertSilent(redact(parseConnectionString(whole)), SECRETS, style);
  }
  const file = findPassword(`*:*:*:*:${PASSWORD}`, {
    host: "h",
    port: "1",
    database: "d",
    user: "u",
  });
  assertSilent(file, SECRETS, "what findPassword() gives");
});

test("a private key given as text is a secret too", () => {
  const secrets = { key: KEY_LINE };
  for (const sslkey of [PEM, `\n${PEM}`, `Bag Attributes\n  friendlyName: x\n${PEM}`]) {
    const parameters = { ...LOCAL, sslcert: certificateText("client.crt"), sslkey };
    assertSilent(redact(parameters), secrets, "redact()");
    assertSilent(resolveSettings(parameters), secrets, "Settings");
    assertSilent(formatConnectionString(parameters), secrets, "formatConnectionString()");
  }
});

test("no error shows a private key that cannot be used", async () => {
  const secrets = { key: KEY_LINE, passphrase: PASSPHRASE };
  const broken = PEM.replace("MII", "AAA");
  const keys = [PEM.replace("-----BEGIN", "----BEGIN"), `Bag Attributes\n${PEM}`, broken];
  for (const sslkey of keys) {
    const server = fakeServer(trust, {
      tls: () => {
        throw new Error("no handshake here");
      },
    });
    const target = { ...LOCAL, sslmode: "require", sslpassword: PASSPHRASE, sslkey };
    const sslcert = certificateText("client.crt");
    const connecting = connect({ ...target, sslcert, connect_timeout: "2" }, {
      adapter: server.adapter,
    });
    assertSilent(await reasonOf(connecting), secrets, "the error");
  }
});

test("no error of a setting that is wrong shows a secret beside it", () => {
  for (const { keyword } of KEYWORDS) {
    for (const value of ["nonsense", "-1", "a,b,c", "1e9", `${PASSWORD}\0`]) {
      try {
        resolveSettings({ ...PARAMETERS, [keyword]: value });
      } catch (error) {
        assertSilent(error, SECRETS, keyword);
      }
    }
  }
});

test("no state of gathering shows a secret", () => {
  const gathering = gatherParameters(PARAMETERS);
  let step = gathering.next();
  while (!step.done) {
    assertSilent(step.value, SECRETS, step.value.want);
    assertSilent(gathering, SECRETS, "the generator");
    step = gathering.next(undefined);
  }
  assertSilent(step.value.context, SECRETS, "the context");
});

for (const one of handshakeCases()) {
  test(`no step and no state of a start-up shows a secret: ${one.name}`, () => {
    const script = scriptOf(one);
    const machine = new ClientHandshake(clientConfig(one.config));
    const told = converse(machine, script, Infinity);
    const secrets = {
      ClientKey: RFC7677_KEYS.clientKey,
      ServerKey: RFC7677_KEYS.serverKey,
      ["cancel key"]: octets("89abcdef"),
      ...(script.password.length > 0 ? { password: script.password } : {}),
    };
    assertSilent(machine, secrets, "the machine");
    for (const { events, next } of told.steps) {
      assertSilent(events, secrets, "events");
      assertSilent(next, secrets, next.do);
    }
  });
}

test("no step and no state of a cancel shows the key", () => {
  for (const one of readVectors<HandshakeCase>("handshake_cancel")) {
    const config = cancelConfig(one.config);
    const secrets = { key: octets(one.config?.key ?? "89abcdef") };
    const machine = new CancelHandshake(config);
    for (const { events, next } of converse(machine, scriptOf(one), Infinity).steps) {
      assertSilent([events, next], secrets, next.do);
    }
    assertSilent([machine, config, config.key], secrets, one.name);
  }
});

test("the exchange of SCRAM and the gate show no key and no proof at any step", () => {
  const salted = Uint8Array.from({ length: 32 }, (_, at) => 200 - at);
  const keys = scramKeys(salted);
  const { clientKey, serverKey } = keys;
  const secrets: Record<string, Uint8Array> = { salted, clientKey, serverKey };
  const gate = new Gate(policy());
  assertSilent(gate, secrets, "the gate");
  const exchange = new ScramExchange({
    mechanism: "SCRAM-SHA-256",
    gs2Header: "n,,",
    bindingData: new Uint8Array(0),
    nonce: "fyko+d2lbbFgONRv9qkxdawL",
  });
  exchange.clientFirst();
  exchange.serverFirst(new TextEncoder().encode("r=fyko+d2lbbFgONRv9qkxdawLx,s=AAAA,i=1"));
  assertSilent(exchange, secrets, "the exchange");
  const final = new TextDecoder().decode(exchange.clientFinal(keys));
  secrets["proof"] = new Uint8Array(Buffer.from(final.slice(final.indexOf(",p=") + 3), "base64"));
  assertSilent(exchange, secrets, "the exchange that has proved");
});

/** The adapters this runtime can load. */
async function adapters(): Promise<readonly Adapter[]> {
  const { nodeAdapter } = await import("../../src/transport/node.ts");
  if ("Deno" in globalThis) {
    return [nodeAdapter, (await import("../../src/transport/deno.ts")).denoAdapter];
  }
  if ("Bun" in globalThis) {
    return [nodeAdapter, (await import("../../src/transport/bun.ts")).bunAdapter];
  }
  return [nodeAdapter];
}

for (const adapter of loaded) {
  test(`sockets of the ${adapter.name} adapter show nothing of what went through them`, async () => {
    const server = await startScripted([{ expect: "packet" }, { send: "cafebabe" }, {
      wait: true,
    }]);
    try {
      const transport = await adapter.dial({ kind: "tcp", host: "127.0.0.1", port: server.port });
      const secrets = { password: PASSWORD, ["cancel key"]: Uint8Array.of(0xca, 0xfe, 0xba, 0xbe) };
      const octets = Buffer.concat([Buffer.alloc(4), Buffer.from(PASSWORD)]);
      octets.writeUInt32BE(octets.length);
      await transport.write(new Uint8Array(octets));
      assertSilent([transport, adapter], secrets, "written");
      assert.equal((await transport.read())?.length, 4);
      assertSilent(transport, secrets, "read");
      transport.close();
      assertSilent(transport, secrets, "closed");
    } finally {
      await server.close();
    }
  });

  if (!adapter.abilities.clientCertificate) continue;
  test(`sockets of the ${adapter.name} adapter do not show the client's key`, async () => {
    const secrets = { passphrase: PASSPHRASE, key: KEY_LINE };
    const identity = { certificate: certificateText("client.crt"), key: PEM };
    for (const passphrase of [PASSPHRASE, "wrong"]) {
      const server = await startScripted([{ tls: "server" }, { wait: true }]);
      try {
        const transport = await adapter.dial({ kind: "tcp", host: "127.0.0.1", port: server.port });
        const securing = transport.startTls({
          serverName: undefined,
          verify: "none",
          host: undefined,
          roots: "system",
          identity: { ...identity, passphrase },
          minVersion: undefined,
          maxVersion: undefined,
          alpn: ["postgresql"],
        });
        const outcome = await securing.catch((error: unknown) => error);
        assert.equal(outcome instanceof Error, passphrase === "wrong");
        assertSilent([outcome, transport], secrets, "secured");
        transport.close();
        assertSilent(transport, secrets, "closed");
      } finally {
        await server.close();
      }
    }
  });
}
