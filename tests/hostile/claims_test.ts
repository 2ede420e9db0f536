import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { readCertificate } from "../../src/auth/certificate.ts";
import { connect } from "../../src/connect/connect.ts";
import { MessageFormatError, type PgHandshakeError } from "../../src/errors.ts";
import { decodeBackend, encodeBackend } from "../../src/wire/backend.ts";
import { BACKEND, MAX_AUTHENTICATION_LENGTH } from "../../src/wire/codes.ts";
import { fakeServer, goodTls, TARGET } from "../connect/fake_server.ts";
import { rejection } from "../connect/rejection.ts";
import { ScramServer } from "../connect/scram_server.ts";
import { PLAIN } from "../connect/sessions.ts";
import { arrive, WAYS_TO_READING } from "../handshake/places.ts";
import { CLIENT_NONCE } from "../handshake/vector_case.ts";
import { der, makeCertificate } from "../support/der.ts";
import { hex, join } from "../support/vectors.ts";
import { interceptPbkdf2 } from "../support/pbkdf2.ts";
import { header } from "./held.ts";

/** OpenSSL's SSL_MAX_CERT_LIST_DEFAULT. */
const MAX_CERTIFICATE = 102_400;

/** A body that claims more than it holds; its decoder must refuse before it makes room for the claim. */
const CLAIMS: readonly (readonly [type: keyof typeof BACKEND, what: string, body: string])[] = [
  ["RowDescription", "32 767 columns and holds none", "7fff"],
  ["RowDescription", "32 767 columns and holds 100", `7fff ${"00".repeat(19)}*100`],
  ["RowDescription", "100 000 columns, which is negative in 16 bits", `86a0 ${"00".repeat(19)}*9`],
  ["DataRow", "32 767 values and holds none", "7fff"],
  ["DataRow", "100 000 values, which is negative in 16 bits", "86a0 ffffffff*9"],
  ["DataRow", "a value of 2^31 - 1 octets", "0001 7fffffff 61"],
  ["DataRow", "a value of 2^31 octets", "0001 80000000 61"],
  ["DataRow", "a value of -2 octets", "0001 fffffffe 61"],
  ["DataRow", "a value that is one octet longer than its row", "0001 00000002 61"],
  ["CopyInResponse", "32 767 columns and holds none", "00 7fff"],
  ["CopyOutResponse", "-1 columns", "00 ffff"],
  ["CopyBothResponse", "32 767 columns and holds one", "00 7fff 0000"],
  ["NegotiateProtocolVersion", "2^31 - 1 options", "00030000 7fffffff 6100"],
  ["NegotiateProtocolVersion", "2^31 options", "00030000 80000000 6100"],
  ["NegotiateProtocolVersion", "-1 options", "00030000 ffffffff"],
  ["NegotiateProtocolVersion", "996 options and holds 995", "00030000 000003e4 6100*995"],
];

for (const [name, what, text] of CLAIMS) {
  test(`a ${name} that claims ${what} is refused`, () => {
    assert.throws(
      () => decodeBackend({ type: BACKEND[name], body: hex(text) }),
      MessageFormatError,
    );
  });
}

test("a NegotiateProtocolVersion of 2^31 - 1 options ends the start-up", () => {
  const error = refusedFirst(join(
    header(BACKEND.NegotiateProtocolVersion, 14),
    hex("00030000 7fffffff 6100"),
  ));
  assert.equal(error.code, "malformed-message");
});

/** What a machine that waits for the first request makes of it. */
function refusedFirst(octets: Uint8Array): PgHandshakeError {
  const { next } = arrive(WAYS_TO_READING["await-authentication"]).machine.receive(octets);
  assert.ok(next.do === "fail", `it does not fail, it goes on to ${next.do}`);
  return next.error;
}

test("a list of SASL mechanisms that fills its message is refused in a short text", () => {
  const mechanisms = Array.from({ length: 990 }, () => "X");
  const octets = encodeBackend({ type: "AuthenticationSASL", mechanisms });
  assert.ok(octets.length > MAX_AUTHENTICATION_LENGTH - 20);
  assert.ok(octets.length <= MAX_AUTHENTICATION_LENGTH + 1);
  const error = refusedFirst(octets);
  assert.equal(error.code, "auth-unsupported");
  assert.ok(error.message.length < 4_000, `the text has ${error.message.length} characters`);
});

test("a list of SASL mechanisms of 60 kB is refused at its header", () => {
  const error = refusedFirst(header(BACKEND.AuthenticationRequest, 60_000));
  assert.equal(error.code, "not-postgresql");
});

test("a list of SASL mechanisms that never ends is refused", () => {
  const body = join(hex("0000000a"), new Uint8Array(1_900).fill(0x58));
  const error = refusedFirst(
    join(header(BACKEND.AuthenticationRequest, body.length + 4), body),
  );
  assert.equal(error.code, "malformed-message");
});

/** What a machine in the middle of SCRAM makes of a server-first. */
function afterServerFirst(
  text: string,
): ReturnType<ReturnType<typeof arrive>["machine"]["receive"]> {
  const data = new TextEncoder().encode(text);
  const body = join(hex("0000000b"), data);
  return arrive(WAYS_TO_READING["sasl-continue"]).machine.receive(
    join(header(BACKEND.AuthenticationRequest, body.length + 4), body),
  );
}

for (const iterations of [100_001, 1_000_000_000, 2_147_483_647]) {
  test(`${iterations} SCRAM iterations are refused before any key is derived`, () => {
    const { next, send } = afterServerFirst(
      `r=${CLIENT_NONCE}server,s=c2FsdA==,i=${iterations}`,
    );
    assert.ok(next.do === "fail");
    assert.equal(next.error.code, "scram-limit");
    assert.equal(send.length, 0);
  });
}

for (const count of ["2147483648", "10000000000", "1e9", "0x7fffffff", "99999999999999999999"]) {
  test(`"${count}" is no count of SCRAM iterations`, () => {
    const { next } = afterServerFirst(`r=${CLIENT_NONCE}server,s=c2FsdA==,i=${count}`);
    assert.ok(next.do === "fail");
    assert.equal(next.error.code, "malformed-message");
  });
}

test("a billion SCRAM iterations never reach PBKDF2", async () => {
  let calls = 0;
  const restore = interceptPbkdf2(({ run }) => {
    calls++;
    return run();
  });
  try {
    const server = fakeServer(async (peer) => {
      await peer.packet();
      await new ScramServer(peer, { password: "x", iterations: 1_000_000_000 }).first();
    });
    const error = await rejection(
      connect({ ...PLAIN, password: "x" }, { adapter: server.adapter }),
    );
    assert.equal(error.code, "scram-limit");
    await server.done();
    assert.equal(calls, 0);
    assert.deepEqual(server.sent(), [["StartupMessage", "SASLInitialResponse"]]);
  } finally {
    restore();
  }
});

test("a salt of 60 kB is refused at the header of its message", () => {
  const { next } = afterServerFirst(`r=${CLIENT_NONCE}server,s=${"c2Fs".repeat(15_000)},i=4096`);
  assert.ok(next.do === "fail");
  assert.equal(next.error.code, "malformed-message");
  assert.match(next.error.message, /length word is 6\d{4}, it must be 8 to 2000/);
});

test("the longest salt that fits into its message is asked to be used as it is", () => {
  const base64 = "c2Fs".repeat(480);
  const { next } = afterServerFirst(`r=${CLIENT_NONCE}server,s=${base64},i=4096`);
  assert.ok(next.do === "answer" && next.request.want === "scram-keys");
  assert.equal(next.request.salt.length, 1440);
});

/** A certificate that is well made but for its size. */
function certificateOf(length: number): Uint8Array {
  const filler = (octets: number): Uint8Array =>
    makeCertificate({
      dnsNames: ["db.test"],
      extensions: [der(0x30, hex("0603550401"), der(0x04, new Uint8Array(octets)))],
    });
  const overhead = filler(length).length - length;
  const made = filler(length - overhead);
  assert.equal(made.length, length);
  return made;
}

test("a certificate of 100 KiB is read, one octet more is refused", () => {
  assert.deepEqual(readCertificate(certificateOf(MAX_CERTIFICATE)).dnsNames, ["db.test"]);
  assert.throws(() => readCertificate(certificateOf(MAX_CERTIFICATE + 1)), MessageFormatError);
});

for (
  const [setting, code] of [
    [{ sslmode: "require", channel_binding: "require" }, "channel-binding"],
    [{ sslmode: "verify-full", sslrootcert: "system", host: "db.test" }, "malformed-message"],
  ] as const
) {
  test(`a certificate of 1 MB under ${JSON.stringify(setting)} ends the connection at once`, async () => {
    const serverCertificate = certificateOf(1 << 20);
    const server = fakeServer(async (peer) => {
      await peer.packet();
      await peer.send(Uint8Array.of(0x53));
    }, {
      resolve: () => Promise.resolve([TARGET.host]),
      tls: (request) => ({ ...goodTls(request), serverCertificate }),
    });
    const error = await rejection(
      connect({ ...TARGET, ...setting }, { adapter: server.adapter }),
    );
    assert.equal(error.code, code);
    assert.equal(error.phase, "tls");
    await server.done();
    assert.deepEqual(server.sent(), [["SSLRequest"]]);
  });
}
