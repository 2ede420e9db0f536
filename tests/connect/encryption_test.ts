import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../src/connect/connect.ts";
import { ConnectionError } from "../../src/errors.ts";
import type { SslMode } from "../../src/settings/tls_settings.ts";
import { certificateText } from "../support/certificates.ts";
import {
  errorResponse,
  fakeServer,
  goodTls,
  GREETING,
  type Play,
  TARGET,
  trust,
} from "./fake_server.ts";
import { refusal } from "./rejection.ts";

/** How the server answers SSLRequest, and TLS where it goes on. */
type Answer =
  | "S"
  | "S, then breaks the handshake"
  | "S, with a certificate that is not trusted"
  | "N"
  | "an error"
  | "another octet"
  | "its end"
  | "nothing";

const MODES: readonly SslMode[] = [
  "disable",
  "allow",
  "prefer",
  "require",
  "verify-ca",
  "verify-full",
];

const SSL = "SSLRequest";
const START = "StartupMessage";
const BYE = "Terminate";

/** What each connection carries, and the code connect() fails with; undefined if it gives a session. */
interface Row {
  readonly answer: Answer;
  /** Under `prefer`. */
  readonly prefer: readonly (readonly string[])[];
  readonly preferCode: string | undefined;
  /** Under `require`, `verify-ca`, `verify-full`, and under `allow` once plaintext was refused. */
  readonly strict: readonly string[];
  readonly strictCode: string | undefined;
}

/** libpq 18 (reference: fe-connect.c, PQconnectPoll), but for certificates that are not trusted: those end it all. */
const ROWS: readonly Row[] = [
  {
    answer: "S",
    prefer: [[SSL, START, BYE]],
    preferCode: undefined,
    strict: [SSL, START, BYE],
    strictCode: undefined,
  },
  {
    answer: "S, then breaks the handshake",
    prefer: [[SSL], [START, BYE]],
    preferCode: undefined,
    strict: [SSL],
    strictCode: "tls-failed",
  },
  {
    answer: "S, with a certificate that is not trusted",
    prefer: [[SSL]],
    preferCode: "certificate-untrusted",
    strict: [SSL],
    strictCode: "certificate-untrusted",
  },
  {
    answer: "N",
    prefer: [[SSL, START, BYE]],
    preferCode: undefined,
    strict: [SSL],
    strictCode: "tls-refused",
  },
  {
    answer: "an error",
    prefer: [[SSL]],
    preferCode: "tls-refused",
    strict: [SSL],
    strictCode: "tls-refused",
  },
  {
    answer: "another octet",
    prefer: [[SSL]],
    preferCode: "not-postgresql",
    strict: [SSL],
    strictCode: "not-postgresql",
  },
  {
    answer: "its end",
    prefer: [[SSL]],
    preferCode: "connection-lost",
    strict: [SSL],
    strictCode: "connection-lost",
  },
  {
    answer: "nothing",
    prefer: [[SSL]],
    preferCode: "aborted",
    strict: [SSL],
    strictCode: "aborted",
  },
];

/** Answers SSLRequest, and lets whoever sends a StartupMessage in; plaintext only if `plaintext` says so. */
function answering(answer: Answer, plaintext: boolean, onSilence: () => void): Play {
  return async (peer) => {
    const first = await peer.packet();
    if (first.type === "StartupMessage") {
      if (plaintext) await peer.send(...GREETING);
      else await peer.send(errorResponse("28000", "no pg_hba.conf entry, no encryption"));
      return plaintext ? undefined : await peer.end();
    }
    switch (answer) {
      case "N":
        await peer.send(Uint8Array.of(0x4e));
        break;
      case "an error":
        await peer.send(errorResponse("53300", "sorry, too many clients already"));
        return;
      case "another octet":
        await peer.send(Uint8Array.of(0x48));
        return;
      case "its end":
        return await peer.end();
      case "nothing":
        return onSilence();
      default:
        await peer.send(Uint8Array.of(0x53));
    }
    await peer.packet();
    await peer.send(...GREETING);
  };
}

function serverFor(answer: Answer, plaintext: boolean, onSilence: () => void) {
  return fakeServer(answering(answer, plaintext, onSilence), {
    tls: (request) => {
      switch (answer) {
        case "S, then breaks the handshake":
          throw new ConnectionError("tls-failed", "handshake failure", { phase: "tls" });
        case "S, with a certificate that is not trusted":
          throw new ConnectionError("certificate-untrusted", "self-signed", { phase: "tls" });
        default:
          return goodTls(request);
      }
    },
  });
}

/** What is expected of `mode`; a mode that does not ask is let in in plaintext. */
function expected(mode: SslMode, row: Row) {
  switch (mode) {
    case "disable":
      return { sent: [[START, BYE]], code: undefined };
    case "prefer":
      return { sent: row.prefer, code: row.preferCode };
    case "allow":
      return { sent: [[START], row.strict], code: row.strictCode };
    default:
      return { sent: [row.strict], code: row.strictCode };
  }
}

for (const mode of MODES) {
  for (const row of ROWS) {
    const { sent, code } = expected(mode, row);
    const outcome = code === undefined ? "a session" : code;
    test(`sslmode=${mode}: a server that answers SSLRequest with ${row.answer} gives ${outcome}`, async () => {
      const silence = new AbortController();
      const server = serverFor(row.answer, mode !== "allow", () => silence.abort());
      const connecting = connect({
        ...TARGET,
        host: "localhost",
        sslmode: mode,
        // The handshake is the fake server's, so this certificate is never compared with anything.
        ...(mode.startsWith("verify") ? { sslrootcert: certificateText("ca.crt") } : {}),
      }, { adapter: server.adapter, signal: silence.signal });
      if (code === undefined) {
        const session = await connecting;
        const encrypted = row.answer === "S" && mode !== "disable";
        assert.equal(session.channel.kind, encrypted ? "tls" : "plain");
        await session.close();
      } else {
        assert.equal((await refusal(connecting)).code, code);
      }
      await server.done();
      assert.deepEqual(server.sent(), sent);
    });
  }
}

for (const mode of ["require", "verify-ca", "verify-full"] as const) {
  test(`sslmode=${mode} with sslnegotiation=direct begins with TLS and asks for nothing first`, async () => {
    const server = fakeServer(trust);
    const session = await connect({
      ...TARGET,
      host: "localhost",
      sslmode: mode,
      sslnegotiation: "direct",
      ...(mode === "require" ? {} : { sslrootcert: certificateText("ca.crt") }),
    }, { adapter: server.adapter });
    await session.close();
    await server.done();
    assert.deepEqual(server.sent(), [[START, BYE]]);
    assert.deepEqual(server.tlsRequests.map(({ alpn }) => alpn), [["postgresql"]]);
    assert.equal(session.channel.kind, "tls");
  });
}

for (
  const [alpn, code] of [[undefined, "alpn-missing"], ["http/1.1", "alpn-missing"]] as const
) {
  test(`direct TLS with application protocol ${alpn} ends before StartupMessage`, async () => {
    const server = fakeServer(async (peer) => void await peer.packet(), {
      tls: (request) => ({ ...goodTls(request), alpn }),
    });
    const target = { ...TARGET, sslmode: "require", sslnegotiation: "direct" } as const;
    const failed = await refusal(connect(target, { adapter: server.adapter }));
    assert.deepEqual(failed, { code, phase: "tls" });
    await server.done();
    assert.deepEqual(server.sent(), [[]]);
  });
}

test("TLS after SSLRequest needs no application protocol, as servers before 17 select none", async () => {
  const server = fakeServer(answering("S", false, () => undefined), {
    tls: (request) => ({ ...goodTls(request), alpn: undefined }),
  });
  await (await connect({ ...TARGET, sslmode: "require" }, { adapter: server.adapter })).close();
  await server.done();
  assert.deepEqual(server.sent(), [[SSL, START, BYE]]);
});

for (const unwanted of ["prefer", "allow", "disable"] as const) {
  test(`sslnegotiation=direct with sslmode=${unwanted} is refused before anything is dialed`, async () => {
    const server = fakeServer(() => Promise.resolve());
    const target = { ...TARGET, sslmode: unwanted, sslnegotiation: "direct" } as const;
    const failed = await refusal(connect(target, { adapter: server.adapter }));
    assert.deepEqual(failed, { code: "invalid-setting", phase: "settings" });
    assert.equal(server.dials.length, 0);
  });
}

for (
  const { host, sslsni, sent } of [
    { host: "db.test", sslsni: "1", sent: "db.test" },
    { host: "db.test", sslsni: "0", sent: undefined },
    { host: "192.0.2.7", sslsni: "1", sent: undefined },
    { host: "2001:db8::7", sslsni: "1", sent: undefined },
  ]
) {
  test(`host ${host} with sslsni=${sslsni} sends ${sent ?? "no name"} by SNI`, async () => {
    const server = serverFor("S", false, () => undefined);
    const target = { ...TARGET, host, hostaddr: "192.0.2.1", sslmode: "require", sslsni };
    await (await connect(target, { adapter: server.adapter })).close();
    await server.done();
    assert.deepEqual(server.tlsRequests.map(({ serverName }) => serverName), [sent]);
  });
}

test("a Unix socket is never encrypted, whatever sslmode says", async () => {
  const server = fakeServer(answering("S", true, () => undefined));
  const target = { user: "app", host: "/run/postgresql", sslmode: "verify-full" } as const;
  const session = await connect(target, { adapter: server.adapter });
  assert.deepEqual(session.channel, { kind: "plain", local: true });
  await session.close();
  await server.done();
  assert.deepEqual(server.sent(), [[START, BYE]]);
  assert.deepEqual(server.dials, [{ kind: "unix", path: "/run/postgresql/.s.PGSQL.5432" }]);
});
