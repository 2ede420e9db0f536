import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { connect } from "../../src/connect/connect.ts";
import { PgHandshakeError } from "../../src/errors.ts";
import { ConnectError } from "../../src/connect/connect_error.ts";
import { reasonOf } from "../connect/rejection.ts";
import { freePort, startIfPossible } from "../support/program.ts";
import { startCluster, startPrimary, startStandby } from "../support/standby.ts";
import { go, portsOf, targetOf, told } from "./cluster_nodes.ts";
import { valueOf } from "./session_with.ts";

const ATTRS = ["any", "read-write", "read-only", "primary", "standby", "prefer-standby"] as const;
/** Which nodes are what an attribute wants (libpq manual, target_session_attrs). */
const WANTED: Readonly<Record<string, string>> = {
  "any": "PAB",
  "read-write": "P",
  "read-only": "AB",
  "primary": "P",
  "standby": "AB",
};
const ORDERS = [
  "PAB",
  "PBA",
  "APB",
  "ABP",
  "BPA",
  "BAP",
  "P",
  "A",
  "XSP",
  "SXA",
  "PXS",
  "XBS",
  "XS",
];
const CODES: Readonly<Record<string, string>> = { S: "server-error", X: "dial-failed" };

const started = await startIfPossible(() => startCluster(18));
const started12 = await startIfPossible(async () => {
  const primary = await startPrimary(12);
  const standby = await startStandby(primary);
  return {
    ports: { P: primary.port, A: standby.port, B: 0, S: 0, X: 0 },
    async stop() {
      await standby.stop();
      await primary.stop();
    },
  };
});
const unused = await freePort();

/** What must happen, attempt by attempt. */
function expected(order: string, attrs: string): readonly string[] {
  const attempts: string[] = [];
  for (const wanted of attrs === "prefer-standby" ? ["standby", "any"] : [attrs]) {
    for (const node of order) {
      const code = CODES[node] ?? (WANTED[wanted]?.includes(node) ? "ready" : "session-attrs");
      attempts.push(`${node} ${code}`);
      if (code === "ready") return attempts;
    }
  }
  return attempts;
}

for (const attrs of ATTRS) {
  test(`target_session_attrs=${attrs} finds its server in every order of hosts`, {
    skip: started.skip,
  }, async () => {
    const ports = portsOf(started.get(), unused);
    for (const order of ORDERS) {
      const { attempts, state, probes } = await go(ports, order, { target_session_attrs: attrs });
      assert.deepEqual(attempts, expected(order, attrs), `${attrs} over ${order}`);
      const [node, how] = attempts.at(-1)?.split(" ") ?? [];
      const states = how !== "ready" ? [] : node === "P" ? ["f", "off"] : ["t", "on"];
      assert.deepEqual(state, states, `${attrs} over ${order}`);
      assert.equal(probes, 0, "servers of 14 and later report what they are");
    }
  });

  test(`target_session_attrs=${attrs} asks PostgreSQL 12 by a query`, {
    skip: started12.skip,
  }, async () => {
    const { ports } = started12.get();
    for (const order of ["PA", "AP", "P", "A"]) {
      const { attempts, probes } = await go(ports, order, { target_session_attrs: attrs });
      const wanted = expected(order, attrs);
      assert.deepEqual(attempts, wanted, `${attrs} over ${order}`);
      // One a server that answered; the second pass of prefer-standby takes anyone and asks nobody.
      const asks = attrs === "any"
        ? 0
        : attrs === "prefer-standby" && order === "P"
        ? 1
        : undefined;
      assert.equal(probes, asks ?? wanted.length, `${attrs} over ${order}`);
    }
  });
}

test("a server that is not accepting connections alone is an error in its own words", {
  skip: started.skip,
}, async () => {
  const target = targetOf(portsOf(started.get(), unused), "S");
  const error = await reasonOf(connect(target)) as PgHandshakeError;
  assert.deepEqual([error.code, error.sqlState, error.phase], [
    "server-error",
    "57P03",
    "start-up",
  ]);
});

test("a primary whose default is read-only is read-only and still the primary", {
  skip: started.skip,
}, async () => {
  const { primary } = started.get();
  const ports = portsOf(started.get(), unused);
  const setting = "default_transaction_read_only";
  await primary.sql(`ALTER SYSTEM SET ${setting} = on`);
  await primary.sql("SELECT pg_reload_conf()");
  await primary.logged(new RegExp(`parameter "${setting}" changed to "on"`));
  try {
    const outcome = async (attrs: string) =>
      (await go(ports, "PA", { target_session_attrs: attrs })).attempts;
    assert.deepEqual(await outcome("read-only"), ["P ready"]);
    assert.deepEqual(await outcome("primary"), ["P ready"]);
    assert.deepEqual(await outcome("read-write"), ["P session-attrs", "A session-attrs"]);
    assert.deepEqual(await outcome("standby"), ["P session-attrs", "A ready"]);
    // What the client itself asks for at start counts as well.
    const options = `-c ${setting}=off`;
    const { attempts } = await go(ports, "PA", { target_session_attrs: "read-write", options });
    assert.deepEqual(attempts, ["P ready"]);
  } finally {
    await primary.sql(`ALTER SYSTEM RESET ${setting}`);
    await primary.sql("SELECT pg_reload_conf()");
    await primary.logged(new RegExp(`parameter "${setting}" (removed|changed to "off")`));
  }
});

test("a session that asks to be read-only on PostgreSQL 12 is found out by the query", {
  skip: started12.skip,
}, async () => {
  const { ports } = started12.get();
  const options = "-c default_transaction_read_only=on";
  const outcome = async (attrs: string) =>
    (await go(ports, "P", { target_session_attrs: attrs, options })).attempts;
  assert.deepEqual(await outcome("read-only"), ["P ready"]);
  assert.deepEqual(await outcome("read-write"), ["P session-attrs"]);
});

test("load_balance_hosts=random reaches every host, disable only the first", {
  skip: started.skip,
}, async () => {
  const ports = portsOf(started.get(), unused);
  const first = async (mode: string) =>
    (await go(ports, "PAB", { load_balance_hosts: mode })).attempts.join();
  const reached = new Set<string>();
  // The chance that a host is missed 300 times is 10 to the power of -52.
  for (let connects = 0; reached.size < 3 && connects < 300; connects++) {
    reached.add(await first("random"));
  }
  assert.deepEqual([...reached].sort(), ["A ready", "B ready", "P ready"]);
  for (let connects = 0; connects < 5; connects++) {
    assert.equal(await first("disable"), "P ready");
  }
});

test("a random order still ends at the one server that is wanted", {
  skip: started.skip,
}, async () => {
  const ports = portsOf(started.get(), unused);
  const parameters = { load_balance_hosts: "random", target_session_attrs: "primary" };
  for (let connects = 0; connects < 10; connects++) {
    const { attempts } = await go(ports, "XASPB", parameters);
    assert.equal(attempts.at(-1), "P ready");
    assert.equal(new Set(attempts).size, attempts.length, "no host is tried twice");
  }
});

test("a client that reconnects in a loop follows a failover and never gets a wrong session", {
  skip: started.skip,
}, async () => {
  const primary = await startPrimary(18);
  const [first, second] = await Promise.all([startStandby(primary), startStandby(primary)]);
  try {
    const ports = { P: primary.port, A: first.port, B: second.port, S: 0, X: 0 };
    const target = targetOf(ports, "PAB", { target_session_attrs: "read-write" });
    const nodes: string[] = [];
    const errors: unknown[] = [];
    const readOnly: unknown[] = [];
    const patience = AbortSignal.timeout(60_000);
    let over = false;
    const loop = (async () => {
      while (!over) {
        try {
          await using session = await connect(target);
          nodes.push(told(ports, session.report.attempts).at(-1)?.[0] ?? "");
          readOnly.push(await valueOf(session, "show transaction_read_only"));
        } catch (error) {
          errors.push(error);
        }
      }
    })();
    const until = async (done: () => boolean): Promise<void> => {
      while (!done()) await delay(5, undefined, { signal: patience });
    };
    try {
      await until(() => nodes.length >= 5);
      await primary.stop();
      await first.promote();
      await until(() => nodes.filter((node) => node === "A").length >= 5);
    } finally {
      over = true;
      await loop;
    }
    assert.match(nodes.join(""), /^P{5,}A{5,}$/);
    assert.deepEqual(readOnly.filter((value) => value !== "off"), []);
    for (const error of errors) assertDeclared(error);

    // The rest of the standbys goes too: what is left is taken by the second pass.
    await second.stop();
    const { attempts, state } = await go(ports, "PBA", { target_session_attrs: "prefer-standby" });
    const downs = ["P dial-failed", "B dial-failed"];
    assert.deepEqual(attempts, [...downs, "A session-attrs", ...downs, "A ready"]);
    assert.deepEqual(state, ["f", "off"]);
  } finally {
    await Promise.all([first.stop(), second.stop()]);
    await primary.stop();
  }
});

/** While a server stops, it is not there, refuses, ends sessions or is no primary yet; nothing else may be told. */
function assertDeclared(error: unknown): void {
  assert.ok(error instanceof ConnectError || error instanceof PgHandshakeError, String(error));
  // A query on a session that was ended under it has no attempts.
  const all = error.attempts?.map((attempt) => attempt.error) ?? [error as PgHandshakeError];
  for (const one of all) {
    const { code, sqlState } = one ?? {};
    const known = code === "server-error" ? ["57P01", "57P03"].includes(sqlState ?? "") : [
      "dial-failed",
      "session-attrs",
      "connection-lost",
    ].includes(code ?? "");
    assert.ok(known, String(error));
  }
}
