import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { certificateText } from "../support/certificates.ts";
import { liveServers } from "../support/live.ts";
import { SCRAM_PASSWORD, type ServerTls, startPostgres } from "../support/postgres.ts";
import { targetOf, withSession } from "./session_with.ts";

const live = await liveServers();

/** A certificate of each signature algorithm; all hash to something but Ed25519 (RFC 5929, section 4.1). */
const CERTIFICATES: readonly (ServerTls & { readonly name: string; readonly bound: boolean })[] = [
  { name: "RSA with SHA-256", certificate: "server", bound: true },
  { name: "RSA with SHA-1", certificate: "server-sha1", key: "server", bound: true },
  { name: "RSA with SHA-512", certificate: "server-sha512", key: "server", bound: true },
  { name: "RSASSA-PSS with SHA-384", certificate: "server-pss", key: "server", bound: true },
  { name: "ECDSA with SHA-256", certificate: "server-ec", bound: true },
  { name: "ECDSA with SHA-384", certificate: "server-ec384", key: "server-ec", bound: true },
  { name: "Ed25519", certificate: "server-ed25519", bound: false },
];

/** Without a hash it takes a verified certificate to go on unbound: anybody can make one without. */
const VERIFIED = { sslmode: "verify-ca", sslrootcert: certificateText("ca.crt") };

for (const { name, bound, ...tls } of CERTIFICATES) {
  test(`SCRAM ${bound ? "is" : "cannot be"} bound to a certificate signed by ${name}`, {
    skip: live.skip(18),
  }, async () => {
    const server = await startPostgres({ tls });
    try {
      for (const negotiation of ["postgres", "direct"]) {
        const target = targetOf(server, "scram_user", {
          password: SCRAM_PASSWORD,
          sslnegotiation: negotiation,
          ...(bound ? { sslmode: "require" } : VERIFIED),
        });
        if (!bound) {
          const unverified = { ...target, sslmode: "require", sslrootcert: "/nowhere/root.crt" };
          await assert.rejects(withSession(unverified, () => undefined), {
            code: "channel-binding",
            phase: "authenticate",
          });
        }
        await withSession(target, ({ authentication, channel }) => {
          assert.deepEqual([authentication.channelBound, authentication.bindingUnavailable], [
            bound,
            !bound,
          ]);
          assert.ok(channel.kind === "tls" && channel.tls.alpn === "postgresql");
        });
        await withSession({ ...target, channel_binding: "disable" }, ({ authentication }) => {
          assert.deepEqual([authentication.channelBound, authentication.bindingUnavailable], [
            false,
            false,
          ]);
        });
        const required = withSession({ ...target, channel_binding: "require" }, (session) => {
          return session.authentication.channelBound;
        });
        if (bound) assert.equal(await required, true);
        else await assert.rejects(required, { code: "channel-binding", phase: "tls" });
      }
    } finally {
      await server.stop();
    }
  });
}
