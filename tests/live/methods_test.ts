import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { certificatePath } from "../support/certificates.ts";
import { type LiveServer, liveServers } from "../support/live.ts";
import {
  PASSWORD,
  POSTGRES_VERSIONS,
  type PostgresVersion,
  SCRAM_PASSWORD,
  UNICODE_PASSWORD,
} from "../support/postgres.ts";
import { type Parameters, targetOf, valueOf, withSession } from "./session_with.ts";

const live = await liveServers();

const METHODS = [
  { user: "trust_user", password: "", method: "none" },
  { user: "password_user", password: PASSWORD, method: "password" },
  { user: "md5_user", password: PASSWORD, method: "md5" },
  { user: "scram_user", password: SCRAM_PASSWORD, method: "scram-sha-256" },
  { user: "unicode_user", password: UNICODE_PASSWORD, method: "scram-sha-256" },
  // What SASLprep makes of the same password.
  { user: "unicode_user", password: "IX IX", method: "scram-sha-256" },
] as const;

interface Channel {
  readonly name: string;
  readonly encrypted: boolean;
  /** The oldest version that has it. */
  readonly since: PostgresVersion;
  readonly parameters: (server: LiveServer) => Parameters;
}

const TRUSTED = {
  host: "localhost",
  hostaddr: "127.0.0.1",
  sslrootcert: certificatePath("ca.crt"),
};

const CHANNELS: readonly Channel[] = [
  { name: "plaintext", encrypted: false, since: 10, parameters: () => ({ sslmode: "disable" }) },
  {
    name: "IPv6",
    encrypted: false,
    since: 10,
    parameters: () => ({ host: "::1", sslmode: "disable" }),
  },
  {
    name: "a Unix socket",
    encrypted: false,
    since: 10,
    parameters: ({ socketDirectory }) => ({ host: socketDirectory }),
  },
  { name: "sslmode=allow", encrypted: false, since: 10, parameters: () => ({ sslmode: "allow" }) },
  { name: "sslmode=prefer", encrypted: true, since: 10, parameters: () => ({}) },
  {
    name: "sslmode=require",
    encrypted: true,
    since: 10,
    parameters: () => ({ sslmode: "require" }),
  },
  {
    name: "sslmode=verify-ca",
    encrypted: true,
    since: 10,
    parameters: () => ({ ...TRUSTED, sslmode: "verify-ca" }),
  },
  {
    name: "sslmode=verify-full",
    encrypted: true,
    since: 10,
    parameters: () => ({ ...TRUSTED, sslmode: "verify-full" }),
  },
  {
    name: "direct TLS",
    encrypted: true,
    since: 17,
    parameters: () => ({ ...TRUSTED, sslmode: "verify-full", sslnegotiation: "direct" }),
  },
];

for (const version of POSTGRES_VERSIONS) {
  for (const { name, encrypted, since, parameters } of CHANNELS) {
    if (version < since) continue;
    test(`PostgreSQL ${version} lets every method in over ${name}`, {
      skip: live.skip(version),
    }, async () => {
      const server = live.get(version);
      for (const { user, password, method } of METHODS) {
        const asked: string[] = [];
        await withSession(targetOf(server, user, parameters(server)), async (session) => {
          assert.equal(session.authentication.method, method, user);
          // PostgreSQL has SCRAM-SHA-256-PLUS since 11.
          const bound = encrypted && method === "scram-sha-256" && version >= 11;
          assert.equal(session.authentication.channelBound, bound, user);
          assert.equal(session.authentication.bindingUnavailable, false);
          assert.equal(session.channel.kind, encrypted ? "tls" : "plain");
          assert.equal(session.protocolVersion, "3.0");
          assert.equal(Math.trunc(session.serverVersion.number / 10_000), version);
          assert.equal(session.report.attempts.length, 1);
          assert.equal(await valueOf(session, "select current_user"), user);
          const ssl = `select ssl from pg_stat_ssl where pid = ${session.processId}`;
          assert.equal(await valueOf(session, ssl), encrypted ? "t" : "f");
        }, {
          password: (context) => {
            asked.push(context.method);
            return password;
          },
        });
        assert.deepEqual(asked, method === "none" ? [] : [method]);
      }
    });
  }

  for (
    const [sslmode, outcome] of [
      ["disable", "plain"],
      ["allow", "plain"],
      ["prefer", "plain"],
      ["require", "28000"],
    ] as const
  ) {
    test(
      `PostgreSQL ${version}: sslmode=${sslmode} where pg_hba.conf forbids TLS gives ${outcome}`,
      {
        skip: live.skip(version),
      },
      () => judge(live.get(version), "no_tls_user", { sslmode }, outcome),
    );
  }

  for (
    const [sslmode, outcome] of [
      ["disable", "28000"],
      ["allow", "tls"],
      ["prefer", "tls"],
      ["require", "tls"],
    ] as const
  ) {
    test(
      `PostgreSQL ${version}: sslmode=${sslmode} where pg_hba.conf demands TLS gives ${outcome}`,
      {
        skip: live.skip(version),
      },
      () => judge(live.get(version), "tls_user", { sslmode }, outcome),
    );
  }
}

async function judge(
  server: LiveServer,
  user: string,
  parameters: Parameters,
  outcome: "plain" | "tls" | "28000",
): Promise<void> {
  const target = targetOf(server, user, { ...parameters, password: PASSWORD });
  const kind = withSession(target, (session) => session.channel.kind);
  if (outcome === "28000") await assert.rejects(kind, { code: "server-error", sqlState: "28000" });
  else assert.equal(await kind, outcome);
}

const MATRIX: Readonly<Record<string, readonly [trust: string, md5: string, scram: string]>> = {
  "": ["none", "md5", "scram-sha-256"],
  "scram-sha-256": ["auth-forbidden", "auth-forbidden", "scram-sha-256"],
  "none": ["none", "auth-forbidden", "auth-forbidden"],
  "!none": ["auth-forbidden", "md5", "scram-sha-256"],
  "scram-sha-256,none": ["none", "auth-forbidden", "scram-sha-256"],
  "!password,!md5,!none": ["auth-forbidden", "auth-forbidden", "scram-sha-256"],
  "!scram-sha-256": ["none", "md5", "auth-forbidden"],
  "gss,sspi": ["unsupported-setting", "unsupported-setting", "unsupported-setting"],
  "oauth": ["auth-forbidden", "auth-forbidden", "auth-forbidden"],
};

/** Nothing but GSSAPI is refused before anything is dialed, as there is no provider. */
const REFUSALS: ReadonlySet<string> = new Set(["auth-forbidden", "unsupported-setting"]);

for (const [require_auth, outcomes] of Object.entries(MATRIX)) {
  test(`require_auth="${require_auth}" gives ${outcomes.join(", ")} for trust, md5, scram`, {
    skip: live.skip(18),
  }, async () => {
    const users = ["trust_user", "md5_user", "scram_user"];
    for (const [index, outcome] of outcomes.entries()) {
      const password = users[index] === "scram_user" ? SCRAM_PASSWORD : PASSWORD;
      const more = { sslmode: "disable", password, ...(require_auth ? { require_auth } : {}) };
      const target = targetOf(live.get(18), users[index] ?? "", more);
      const method = withSession(target, (session) => session.authentication.method);
      if (REFUSALS.has(outcome)) await assert.rejects(method, { code: outcome });
      else assert.equal(await method, outcome);
    }
  });
}

for (const user of ["trust_user", "password_user", "md5_user"]) {
  test(`channel_binding=require refuses what asks ${user} for, even inside TLS`, {
    skip: live.skip(18),
  }, async () => {
    const more = { channel_binding: "require", sslmode: "require", password: PASSWORD };
    await assert.rejects(withSession(targetOf(live.get(18), user, more), () => undefined), {
      code: "channel-binding",
    });
  });
}

test("channel_binding=require refuses SCRAM without TLS, before StartupMessage", {
  skip: live.skip(18),
}, async () => {
  const server = live.get(18);
  const more = { channel_binding: "require", password: SCRAM_PASSWORD };
  for (const place of [{ sslmode: "disable" }, { host: server.socketDirectory }]) {
    const target = targetOf(server, "scram_user", { ...more, ...place });
    await assert.rejects(withSession(target, () => undefined), {
      code: "channel-binding",
      phase: "negotiate",
    });
  }
});
