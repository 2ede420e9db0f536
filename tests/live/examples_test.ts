import "../support/guard.ts";
import { test } from "node:test";
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { connect } from "../../mod.ts";
import { certificatePath } from "../support/certificates.ts";
import { execute, type Outcome } from "../support/execute.ts";
import { liveServers } from "../support/live.ts";
import { PASSWORD, SCRAM_PASSWORD } from "../support/postgres.ts";
import { repositoryRoot } from "../support/repository.ts";

const live = await liveServers();
const ca = certificatePath("ca.crt");

/** The build for Node 20 leaves the examples out: they use what is newer. */
const skip = import.meta.url.endsWith(".js") ? "runs on Deno, Bun and Node 26 only" : live.skip(18);

function run(example: string, ...args: readonly string[]): Promise<Outcome> {
  const flags = "Deno" in globalThis ? ["run", "--quiet", "--no-check", "-A"] : [];
  const file = join(repositoryRoot(), "examples", example);
  return execute(process.execPath, [...flags, file, ...args], {
    environment: { ...process.env, NO_COLOR: "1" },
  });
}

function uri(who: string, parameters: string): string {
  return `postgres://${who}@127.0.0.1:${live.get(18).port}/app?${parameters}`;
}

test("examples/connect.ts opens a verified session bound to its channel", { skip }, async () => {
  const target = uri(`scram_user:${SCRAM_PASSWORD}`, `sslmode=verify-full&sslrootcert=${ca}`);
  const { code, output } = await run("connect.ts", target);
  assert.equal(code, 0, output);
  assert.match(output, /^server {3}18\./m);
  assert.match(output, /^method {3}scram-sha-256, bound to the channel$/m);
  assert.match(output, /^channel {2}TLSv1\.3, \S+, verified: full$/m);
  assert.match(output, /^columns {2}current_user, nothing$/m);
  assert.match(output, /^row {6}\["scram_user",null\]$/m);
});

test("examples/connect.ts says why it was refused, without the password", { skip }, async () => {
  const { code, output } = await run(
    "connect.ts",
    uri("scram_user:guesswork", "sslmode=disable"),
  );
  assert.equal(code, 1, output);
  assert.match(output, /password authentication failed for user "scram_user"/);
  assert.match(output, /\(server-error, SQLSTATE 28P01, at "authenticate"\)/);
  assert.doesNotMatch(output, /guesswork/);
});

test("examples/password_callback.ts is asked for the password and gives it", { skip }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "pg-handshake-example-"));
  try {
    const file = join(folder, "password.txt");
    writeFileSync(file, `${PASSWORD}\n`);
    const { code, output } = await run(
      "password_callback.ts",
      uri("md5_user", "sslmode=disable"),
      file,
    );
    assert.equal(code, 0, output);
    assert.match(output, /wants md5_user's password for app \(md5\)/);
    assert.match(output, /^connected, method md5$/m);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("examples/own_io.ts runs the machine over its own sockets", { skip }, async () => {
  const { port } = live.get(18);
  const { code, output } = await run(
    "own_io.ts",
    "localhost",
    String(port),
    "scram_user",
    SCRAM_PASSWORD,
    "app",
    ca,
  );
  assert.equal(code, 0, output);
  assert.match(output, /^method {3}scram-sha-256, bound: true$/m);
  assert.match(output, /^channel {2}TLSv1\.3$/m);
});

test(
  "examples/own_io.ts refuses a certificate of an authority it was not given",
  { skip },
  async () => {
    const { port } = live.get(18);
    const other = certificatePath("other-ca.crt");
    const { code, output } = await run(
      "own_io.ts",
      "127.0.0.1",
      String(port),
      "scram_user",
      SCRAM_PASSWORD,
      "app",
      other,
    );
    assert.notEqual(code, 0, output);
    assert.match(output, /self.signed certificate/i);
    assert.doesNotMatch(output, /^method/m);
  },
);

for (
  const [example, expected] of [
    [
      "pg_pool.ts",
      /^session {2}tls, scram-sha-256, bound: true$[\s\S]*^row {6}{"who":"scram_user","two":2}$/m,
    ],
    [
      "postgres_js.ts",
      /^row {6}{"who":"scram_user","two":2}$[\s\S]*^begin {4}nothing written yet: true$/m,
    ],
    ["drizzle.ts", /^rows {5}\[{"id":1,"name":"one"},{"id":2,"name":"two"}\]$/m],
  ] as const
) {
  test(`examples/${example} uses a driver over a bridge`, { skip }, async () => {
    const parameters = `sslmode=verify-full&sslrootcert=${ca}&channel_binding=require`;
    const { code, output } = await run(example, uri(`scram_user:${SCRAM_PASSWORD}`, parameters));
    assert.equal(code, 0, output);
    assert.match(output, expected);
  });
}

const deno = async (): Promise<void> => {
  const file = join(repositoryRoot(), "examples", "deno_script.ts");
  const net = `--allow-net=127.0.0.1:${live.get(18).port}`;
  const flags = ["run", "--quiet", "--no-check", "--no-prompt", net, "--allow-env"];
  const { code, output } = await execute(process.execPath, [
    ...flags,
    file,
    uri("trust_user", "sslmode=disable"),
  ], { environment: { ...process.env, NO_COLOR: "1" } });
  assert.equal(code, 0, output);
  assert.match(output, /^pg_\w+: \d+ [kM]B$/m);
};

const bun = async (): Promise<void> => {
  const { code, output } = await run("bun_script.ts", uri("trust_user", "sslmode=disable"));
  assert.equal(code, 0, output);
  assert.match(output, /^2 visits, transaction status T$/m);
};

if ("Deno" in globalThis) {
  test("examples/deno_script.ts prints rows with few permissions", { skip }, deno);
}
if ("Bun" in globalThis) test("examples/bun_script.ts runs a transaction", { skip }, bun);

test("examples/health_check.ts answers with the exit codes of pg_isready", { skip }, async () => {
  const there = await run("health_check.ts", uri("nobody", "connect_timeout=5"));
  assert.deepEqual([there.code, there.output.trim()], [0, "ok"]);
  const nowhere = await run("health_check.ts", "host=127.0.0.1 port=1 user=nobody");
  assert.deepEqual([nowhere.code, nowhere.output.trim()], [2, "no-response"]);
  const wrong = await run("health_check.ts", "hots=127.0.0.1");
  assert.deepEqual([wrong.code, wrong.output.trim()], [3, "no-attempt"]);
});

test("examples/failover.ts finds the host that takes writes", { skip }, async () => {
  const { port } = live.get(18);
  const hosts = `127.0.0.1:1,127.0.0.1:${port}`;
  const both = await run(
    "failover.ts",
    `postgres://trust_user@${hosts}/app?target_session_attrs=read-write`,
  );
  assert.equal(both.code, 0, both.output);
  assert.match(both.output, new RegExp(`port 1 failed: .*\\n.*port ${port} succeeded`));
  assert.match(both.output, new RegExp(`^port ${port}, read-only: off$`, "m"));
  const none = await run(
    "failover.ts",
    `postgres://trust_user@${hosts}/app?target_session_attrs=standby`,
  );
  assert.equal(none.code, 1, none.output);
  assert.match(none.output, new RegExp(`127.0.0.1:${port} failed at "ready": .*hot standby`));
});

test("examples/listen.ts works off notifications until it is told to stop", { skip }, async () => {
  const channel = `jobs_${randomUUID()}`;
  const target = uri("trust_user", "sslmode=disable");
  let done = false;
  const running = run("listen.ts", target, channel).finally(() => done = true);
  const session = await connect(target);
  // It may take a while until it listens; what comes before is nobody's.
  while (!done) {
    await session.query(`select pg_notify('${channel}', 'a job'), pg_notify('${channel}', 'stop')`);
    await session.query("select pg_sleep(0.1)");
  }
  await session.close();
  const { code, output } = await running;
  assert.equal(code, 0, output);
  assert.match(output, new RegExp(`^listening on ${channel}$`, "m"));
  assert.match(output, /^\d+ says: a job\n\d+ says: stop$/m);
});
