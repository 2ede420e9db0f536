import "../support/guard.ts";
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import process from "node:process";
import { after, test } from "node:test";
import { connect } from "../../src/connect/connect.ts";
import { deviceFlow } from "../../src/oauth/mod.ts";
import { rejection } from "../connect/rejection.ts";
import { printed } from "../handshake/secrets.ts";
import {
  type AuthorizationServer,
  ISSUED,
  PENDING,
  startAuthorizationServer,
} from "../oauth/authorization_server.ts";
import { certificatePath } from "../support/certificates.ts";
import { compiled } from "../support/compiled.ts";
import { MachineUnavailable } from "../support/machines.ts";
import { type PostgresServer, startPostgres } from "../support/postgres.ts";
import { temporaryFolder } from "../support/postgres_programs.ts";
import { targetOf, valueOf, withSession } from "./session_with.ts";

const SCOPE = "openid postgres";

/** PostgreSQL 18 that takes tokens of two issuers of ours, the second over http. */
interface Lab {
  readonly server: PostgresServer;
  readonly issuer: AuthorizationServer;
  readonly plainIssuer: AuthorizationServer;
}

const lab = await started();
const skip = typeof lab === "string" ? lab : false;

async function started(): Promise<Lab | string> {
  try {
    const { folder } = await compiled("oauth_validator", "library");
    const tokens = [PENDING, ISSUED];
    const issuer = await startAuthorizationServer("https", { tokens });
    const plainIssuer = await startAuthorizationServer("http", { tokens });
    const line = (user: string, { issuer }: AuthorizationServer): string =>
      `host app ${user} 127.0.0.1/32 oauth issuer="${issuer}" scope="${SCOPE}"`;
    const server = await startPostgres({
      settings: { dynamic_library_path: folder, oauth_validator_libraries: "oauth_validator" },
      sql: ["create role alice login", "create role bob login"],
      hba: [line("alice", issuer), line("bob", plainIssuer)],
    });
    after(async () => {
      await server.stop();
      await Promise.all([issuer.close(), plainIssuer.close()]);
    });
    return { server, issuer, plainIssuer };
  } catch (error) {
    if (error instanceof MachineUnavailable) return error.message;
    throw error;
  }
}

function target(user: string, parameters: Readonly<Record<string, string>> = {}) {
  assert.ok(typeof lab !== "string");
  const issuer = user === "bob" ? lab.plainIssuer : lab.issuer;
  return targetOf(lab.server, user, {
    sslmode: "require",
    oauth_issuer: issuer.issuer,
    oauth_client_id: "app",
    ...parameters,
  });
}

const program = process.platform === "linux"
  ? await compiled("scm_server", "program").catch((error: unknown) => {
    if (error instanceof MachineUnavailable) return error.message;
    throw error;
  })
  : "SO_PASSCRED runs on Linux only";

test("PostgreSQL 18 takes a token, of whoever logs in or by name", { skip }, async () => {
  for (const bearerToken of ["ok", "ok.alice", () => Promise.resolve("ok")]) {
    await withSession(target("alice", { require_auth: "oauth" }), async (session) => {
      assert.equal(session.authentication.method, "oauth");
      assert.equal(await valueOf(session, "select system_user"), "oauth:alice");
      assert.equal(session.report.attempts.length, 1);
    }, { bearerToken });
  }
});

test("PostgreSQL 18 refuses a token that is another's, or nobody's", { skip }, async () => {
  for (const bearerToken of ["ok.bob", "nobodys-TOKEN", "crash"]) {
    const error = await rejection(connect(target("alice"), { bearerToken }));
    assert.ok(error.sqlState === "28000" || bearerToken === "crash", error.message);
    assert.equal(error.code, "server-error");
    assert.ok(!printed(error).includes("nobodys-TOKEN"));
  }
});

test("PostgreSQL 18 says where tokens come from", { skip }, async () => {
  const told: unknown[] = [];
  await withSession(target("alice"), (session) => {
    assert.deepEqual(session.report.attempts.map(({ error }) => error?.code), [
      "token-missing",
      undefined,
    ]);
  }, {
    bearerToken: ({ discovered, issuer, discoveryUrl, scope }) => {
      told.push({ discovered, issuer, discoveryUrl, scope });
      return discovered ? "ok" : undefined;
    },
  });
  assert.ok(typeof lab !== "string");
  const { issuer, discoveryUrl } = lab.issuer;
  assert.deepEqual(told, [
    { discovered: false, issuer, discoveryUrl: undefined, scope: undefined },
    { discovered: true, issuer, discoveryUrl, scope: SCOPE },
  ]);
});

test("an issuer that moved is noticed before anybody is asked", { skip }, async () => {
  const error = await rejection(connect(target("alice", { oauth_issuer: "https://moved.test" }), {
    bearerToken: ({ discovered }) => discovered ? assert.fail("asked") : undefined,
  }));
  assert.equal(error.code, "issuer-mismatch");
});

test("without a source of tokens nothing but the start-up is sent", { skip }, async () => {
  const error = await rejection(connect(target("alice")));
  assert.equal(error.code, "auth-unsupported");
  assert.match(error.message, /"bearerToken"/);
});

test("the device flow, from the first connection to the session", { skip }, async () => {
  const prompts: string[] = [];
  const bearerToken = deviceFlow({
    caFile: certificatePath("ca.crt"),
    onPrompt: ({ verificationUri, userCode }) => void prompts.push(verificationUri, userCode),
  });
  for (const connections of [2, 1]) {
    await withSession(target("alice"), async (session) => {
      assert.equal(await valueOf(session, "select system_user"), "oauth:alice");
      assert.equal(session.report.attempts.length, connections);
    }, { bearerToken });
  }
  assert.ok(typeof lab !== "string");
  // The second session needs nobody.
  assert.deepEqual(prompts, [`${lab.issuer.issuer}/login`, "ABCD-1234"]);
  const [, device] = lab.issuer.received;
  assert.deepEqual(device?.form, { scope: SCOPE, client_id: "app" });
});

test("an issuer over http takes libpq's debug switch", { skip }, async () => {
  const onPrompt = (): void => {};
  const error = await rejection(connect(target("bob"), { bearerToken: deviceFlow({ onPrompt }) }));
  assert.equal(error.code, "issuer-mismatch");
  assert.match(error.message, /https:\/\//);
  process.env["PGOAUTHDEBUG"] = "UNSAFE";
  try {
    await withSession(target("bob"), async (session) => {
      assert.equal(await valueOf(session, "select system_user"), "oauth:bob");
    }, { bearerToken: deviceFlow({ onPrompt }) });
  } finally {
    delete process.env["PGOAUTHDEBUG"];
  }
});

test("Linux tells a server of old who is at the Unix socket, for one zero octet", {
  skip: typeof program === "string" ? program : false,
}, async () => {
  assert.ok(typeof program !== "string");
  const { path: executable } = program;
  for (const [uid, allowed] of [[process.getuid?.() ?? 0, true], [4_711, false]] as const) {
    const folder = temporaryFolder("scm");
    const server = await startScmServer(executable, join(folder, ".s.PGSQL.5432"), uid);
    try {
      const where = { host: folder, port: "5432", user: "u", dbname: "d" };
      const options = { allowLegacyAuth: ["scm"] } as const;
      if (allowed) {
        await withSession(where, (session) => {
          assert.equal(session.authentication.method, "scm");
        }, options);
      } else {
        assert.equal((await rejection(connect(where, options))).sqlState, "28000");
      }
      const said = await server.ended;
      assert.match(said, new RegExp(`octet 0 pid ${process.pid} uid ${process.getuid?.()}\\b`));
    } finally {
      server.child.kill();
    }
  }
});

/** Starts the server of `scm_server.c`; `ended` is what it said by its end. */
async function startScmServer(
  executable: string,
  path: string,
  uid: number,
): Promise<{ readonly child: ChildProcess; readonly ended: Promise<string> }> {
  const child = spawn(executable, [path, String(uid)], { stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  child.stdout.on("data", (octets: Uint8Array) => said += new TextDecoder().decode(octets));
  const ended = once(child, "close").then(() => said);
  await once(child.stdout, "data");
  return { child, ended };
}
