import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { certificateText } from "../support/certificates.ts";
import { liveServers } from "../support/live.ts";
import { POSTGRES_VERSIONS } from "../support/postgres.ts";
import { reasonOf } from "../connect/rejection.ts";
import { type Parameters, targetOf, valueOf, withSession } from "./session_with.ts";

const live = await liveServers();

const CERTIFICATE = certificateText("client.crt");
const PASSPHRASE = "pass phrase";

const KEYS: readonly { readonly name: string; readonly parameters: Parameters }[] = [
  { name: "a plain key", parameters: { sslkey: certificateText("client.key") } },
  {
    name: "an encrypted key",
    parameters: { sslkey: certificateText("client-encrypted.key"), sslpassword: PASSPHRASE },
  },
  {
    name: "an encrypted key of the traditional format",
    parameters: { sslkey: certificateText("client-encrypted-pkcs1.key"), sslpassword: PASSPHRASE },
  },
];

const WAYS: readonly {
  readonly name: string;
  readonly since: number;
  readonly parameters: Parameters;
}[] = [
  { name: "TLS 1.2", since: 10, parameters: { ssl_max_protocol_version: "TLSv1.2" } },
  { name: "TLS 1.3", since: 10, parameters: { ssl_min_protocol_version: "TLSv1.3" } },
  { name: "direct TLS", since: 17, parameters: { sslnegotiation: "direct" } },
];

for (const version of POSTGRES_VERSIONS) {
  for (const way of WAYS) {
    if (version < way.since) continue;
    const options = { skip: live.skip(version) };
    const target = (more: Parameters): Parameters =>
      targetOf(live.get(version), "cert_user", { sslmode: "require", ...way.parameters, ...more });

    for (const key of KEYS) {
      test(
        `PostgreSQL ${version} lets a client certificate with ${key.name} in over ${way.name}`,
        options,
        async () => {
          const more = { sslcert: CERTIFICATE, ...key.parameters };
          await withSession(target(more), async (session) => {
            assert.equal(session.authentication.method, "none");
            const wanted = /TLS 1/.test(way.name) ? way.name.replace("TLS ", "TLSv") : "TLSv1.3";
            assert.equal(session.channel.kind === "tls" && session.channel.tls.protocol, wanted);
            const named = `select ${version >= 12 ? "client_dn" : "clientdn"} from pg_stat_ssl`;
            const dn = await valueOf(session, `${named} where pid = ${session.processId}`);
            assert.equal(dn, "/CN=cert_user");
          });
        },
      );
    }

    test(
      `PostgreSQL ${version} says that a client certificate is missing over ${way.name}`,
      options,
      async () => {
        const nobody = withSession(target({}), () => undefined);
        await assert.rejects(nobody, { code: "server-error", sqlState: "28000" });
      },
    );

    test(
      `PostgreSQL ${version} refuses a client certificate of somebody else over ${way.name}`,
      options,
      async () => {
        const error = await reasonOf(withSession(
          target({
            sslcert: certificateText("other-client.crt"),
            sslkey: certificateText("other-client.key"),
          }),
          () => undefined,
        ));
        assert.equal((error as { code?: string }).code, "tls-failed", String(error));
      },
    );
  }
}

for (
  const { name, parameters } of [
    {
      name: "a wrong passphrase",
      parameters: { sslkey: certificateText("client-encrypted.key"), sslpassword: "wrong" },
    },
    {
      name: "no passphrase",
      parameters: { sslkey: certificateText("client-encrypted.key") },
    },
    {
      name: "the key of another certificate",
      parameters: { sslkey: certificateText("other-client.key") },
    },
  ]
) {
  test(`a client certificate with ${name} is an error of ours, and nobody gets in without it`, {
    skip: live.skip(18),
  }, async () => {
    const more = { sslmode: "require", sslcert: CERTIFICATE, ...parameters };
    const error = await reasonOf(
      withSession(targetOf(live.get(18), "trust_user", more), () => undefined),
    );
    assert.equal((error as { code?: string }).code, "invalid-setting", String(error));
    assert.doesNotMatch(String(error), /wrong\b.*wrong|PRIVATE/);
  });
}
