/**
 * Bring your own I/O: the start-up is a state machine that does not know what a socket is. Here node:net and node:tls
 * carry its octets; anything else that can would do.
 *
 *   deno run -A examples/own_io.ts db.example 5432 app secret app ca.pem
 *
 * Encrypts after SSLRequest, verifies the certificate against the given roots, binds SCRAM to it.
 */
import { pbkdf2, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { connect, isIP, type Socket } from "node:net";
import process from "node:process";
import { connect as connectTls } from "node:tls";
import { promisify } from "node:util";
// In your own program: from "pg-handshake/auth", "pg-handshake/handshake" and "pg-handshake/wire".
import { type AuthPolicy, type ChannelFacts, saslprep, scramKeys } from "../src/auth/mod.ts";
import {
  type Answer,
  type AnswerRequest,
  ClientHandshake,
  type SessionStart,
} from "../src/handshake/mod.ts";
import { encodeFrontend } from "../src/wire/mod.ts";

const [host = "localhost", port = "5432", user = "postgres", password = "", database = user, ca] =
  process.argv.slice(2);
const roots = ca === undefined ? undefined : await readFile(ca, "utf8");
const local = ["localhost", "127.0.0.1", "::1"].includes(host);

const policy: AuthPolicy = {
  allowed: new Set(["scram-sha-256", "md5", "password"]),
  required: false, // a server that asks for no password is taken, as libpq does
  requireAuthText: undefined,
  channelBinding: "prefer",
  allowCleartextPassword: false,
  minScramIterations: 1,
  maxScramIterations: 100_000,
  tls: { verify: "full", host, requireAlpn: false },
  serverName: host,
};

const machine = new ClientHandshake({
  encryption: "ssl-request",
  plaintextAfterRefusal: false,
  startup: [["user", user], ["database", database]],
  protocolVersion: 0x00030000,
  minProtocolVersion: 0x00030000,
  policy,
  channel: { kind: "plain", local },
  clientNonce: randomBytes(18).toString("base64"),
  traced: false,
});

let socket: Socket = connect({ host, port: Number(port), noDelay: true });
try {
  await once(socket, "connect");
  const { authentication, channel, parameters } = await run();
  console.log(`server   ${parameters.get("server_version")}`);
  console.log(`method   ${authentication.method}, bound: ${authentication.channelBound}`);
  console.log(`channel  ${channel.kind === "tls" ? channel.tls.protocol : "not encrypted"}`);
  // The session is ours: `socket` is at ReadyForQuery, and this is how it ends.
  await write(encodeFrontend({ type: "Terminate" }));
} finally {
  socket.destroy();
}

/** Feeds the machine and does what it says, until it is done. */
async function run(): Promise<SessionStart> {
  let step = machine.start();
  for (;;) {
    if (step.send.length > 0) await write(step.send);
    const { next } = step;
    switch (next.do) {
      case "read": {
        const octets = await read();
        step = octets === undefined ? machine.receiveEnd() : machine.receive(octets);
        break;
      }
      case "start-tls":
        step = machine.secured(await startTls());
        break;
      case "answer":
        step = machine.answer(await secretFor(next.request));
        break;
      case "fail":
        throw next.error;
      case "finish":
        return next.result;
    }
  }
}

/** The next octets; undefined if the server has closed its side. */
async function read(): Promise<Uint8Array | undefined> {
  for (;;) {
    const octets: Uint8Array | null = socket.read();
    if (octets !== null) return octets;
    if (socket.readableEnded) return undefined;
    const controller = new AbortController();
    const { signal } = controller;
    try {
      await Promise.race([once(socket, "readable", { signal }), once(socket, "end", { signal })]);
    } finally {
      controller.abort();
    }
  }
}

async function write(octets: Uint8Array): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    socket.write(octets, (error) => error ? reject(error) : resolve());
  });
}

/** Verifies the chain; the machine's gate compares the name in the certificate, by libpq's rules. */
async function startTls(): Promise<ChannelFacts> {
  const secured = connectTls({
    socket,
    ...(roots === undefined ? {} : { ca: roots }),
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ALPNProtocols: ["postgresql"],
    checkServerIdentity: () => undefined,
  });
  await once(secured, "secureConnect");
  socket = secured;
  return {
    kind: "tls",
    local,
    tls: {
      protocol: secured.getProtocol() === "TLSv1.3" ? "TLSv1.3" : "TLSv1.2",
      cipher: secured.getCipher().name,
      alpn: secured.alpnProtocol || undefined,
      verified: "ca",
      serverCertificate: new Uint8Array(secured.getPeerCertificate().raw),
    },
  };
}

/** The machine never sees a password it does not need: for SCRAM it gets two keys derived from it. */
async function secretFor(request: AnswerRequest): Promise<Answer> {
  const octets = new TextEncoder().encode(password);
  if (request.want === "password") return { kind: "password", password: octets };
  // Asked for only if the policy has `oauth`.
  if (request.want === "bearer-token") return { kind: "bearer-token", token: undefined };
  if (request.want !== "scram-keys") throw new Error(`Cannot answer "${request.want}"`);
  const { salt, iterations } = request;
  const salted = await promisify(pbkdf2)(saslprep(octets), salt, iterations, 32, "sha256");
  return { kind: "scram-keys", keys: scramKeys(new Uint8Array(salted)) };
}
