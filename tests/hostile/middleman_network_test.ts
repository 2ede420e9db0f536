import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../src/connect/connect.ts";
import type { ConnectOptions } from "../../src/connect/options.ts";
import { nodeAdapter } from "../../src/transport/node.ts";
import type { Adapter } from "../../src/transport/transport.ts";
import { forwarding } from "../connect/fake_server.ts";
import { refusal } from "../connect/rejection.ts";
import { liveServers } from "../support/live.ts";
import { startMiddleman, type Tampering } from "../support/middleman.ts";
import { PASSWORD, SCRAM_PASSWORD } from "../support/postgres.ts";
import { readable } from "./middleman_case.ts";

const live = await liveServers();

/** Dials loopback and says it is a network: what goes there in plaintext, others can read. */
const network: Adapter = {
  ...nodeAdapter,
  async dial(address, signal, options) {
    const transport = await nodeAdapter.dial(address, signal, options);
    return { ...forwarding(transport), endpoint: { ...transport.endpoint, local: false } };
  },
};

interface Case {
  readonly name: string;
  readonly user: string;
  readonly password: string;
  readonly tampering: Tampering;
  readonly sslmodes: readonly string[];
  readonly options?: ConnectOptions;
  /** What the middleman reads, or why nothing is sent. */
  readonly expect: string;
}

const PLAINTEXT = ["disable", "allow", "prefer"] as const;

const CASES: readonly Case[] = [
  {
    name: "a server that asks for the password in clear gets none behind one who answers N",
    user: "password_user",
    password: PASSWORD,
    tampering: { tls: "refuse" },
    sslmodes: PLAINTEXT,
    expect: "cleartext-forbidden at authenticate",
  },
  {
    name: "one who answers N and asks for the password in clear gets none",
    user: "scram_user",
    password: SCRAM_PASSWORD,
    tampering: { tls: "refuse", rewrite: "ask-clear" },
    sslmodes: PLAINTEXT,
    expect: "cleartext-forbidden at authenticate",
  },
  {
    name: "one who breaks TLS and asks for the password in clear gets none",
    user: "scram_user",
    password: SCRAM_PASSWORD,
    tampering: { tls: "fake", rewrite: "ask-clear" },
    sslmodes: PLAINTEXT,
    expect: "cleartext-forbidden at authenticate",
  },
  {
    name: "who permits it sends it",
    user: "password_user",
    password: PASSWORD,
    tampering: { tls: "refuse" },
    sslmodes: PLAINTEXT,
    options: { allowCleartextPassword: true },
    expect: "session; he reads the password",
  },
  {
    name: "TLS that nobody verified is no network in clear, as in libpq",
    user: "scram_user",
    password: SCRAM_PASSWORD,
    tampering: { tls: "terminate", certificate: "selfsigned", rewrite: "ask-clear" },
    sslmodes: ["prefer", "require"],
    expect: "server-error at authenticate; he reads the password",
  },
];

for (const { name, user, password, tampering, sslmodes, options, expect } of CASES) {
  test(`over a network: ${name}`, { skip: live.skip(18) }, async () => {
    const middleman = await startMiddleman(live.get(18).port, tampering);
    try {
      const base = { host: "127.0.0.1", port: middleman.port, dbname: "app" };
      for (const sslmode of sslmodes) {
        const before = middleman.heard().length;
        const target = { ...base, user, password, sslmode };
        const session = connect(target, { ...options, adapter: network });
        const outcome = await session.then((open) => open.close()).then(
          () => "session",
          async () => {
            const { code, phase } = await refusal(session);
            return `${code} at ${phase}`;
          },
        );
        const heard = middleman.heard().slice(before).join("\n");
        const read = readable(heard, password);
        const told = read.length === 0 ? outcome : `${outcome}; he reads ${read.join(" and ")}`;
        assert.equal(told, expect, sslmode);
      }
    } finally {
      await middleman.close();
    }
  });
}
