import "../support/guard.ts";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { keysOf } from "../connect/scram_server.ts";
import { liveServers } from "../support/live.ts";
import { type Middleman, startMiddleman } from "../support/middleman.ts";
import { SCRAM_PASSWORD } from "../support/postgres.ts";
import { readVectors } from "../support/vectors.ts";
import {
  BINDINGS,
  expected,
  type MiddlemanCase,
  modesOf,
  reach,
  readable,
  SSLMODES,
} from "./middleman_case.ts";

const CASES = readVectors<MiddlemanCase>("middleman");
const live = await liveServers();

test("every table says what comes of each sslmode, once", () => {
  for (const one of CASES) {
    const said = Object.keys(one.expect).flatMap((modes) => modes.split(" "));
    assert.deepEqual(said.sort(), [...modesOf(one)].sort(), one.name);
  }
  const whole = CASES.filter((one) => modesOf(one).length === SSLMODES.length);
  assert.ok(whole.length > 35);
});

test("no table lets a middleman read more than its sslmode and channel_binding permit", () => {
  for (const one of CASES) {
    for (const sslmode of modesOf(one)) {
      for (const binding of BINDINGS) {
        const said = expected(one, sslmode, binding);
        const what = `${one.name}, ${sslmode}, ${binding}: ${said}`;
        // A proof bound to the middleman's certificate is of no use to anybody else.
        if (binding === "require") assert.doesNotMatch(said, /reads (?!a proof \(p=)/, what);
        if (/ at (negotiate|tls|start-up)$/.test(said)) assert.doesNotMatch(said, /reads/, what);
        if (one.target?.["require_auth"]?.includes("scram")) {
          assert.doesNotMatch(said, /password|MD5/, what);
        }
        if (sslmode.startsWith("verify")) assert.doesNotMatch(said, /plain/, what);
      }
    }
  }
});

for (const one of CASES) {
  test(`the middleman ${one.name}`, { skip: live.skip(18) }, async () => {
    const server = live.get(18).port;
    await Promise.all(BINDINGS.map(async (binding) => {
      const middleman = await startMiddleman(server, one.tampering);
      try {
        for (const sslmode of modesOf(one)) {
          const before = middleman.heard().length;
          const what = `sslmode=${sslmode} channel_binding=${binding}`;
          const outcome = await reach(one, middleman, sslmode, binding);
          assert.equal(outcome, expected(one, sslmode, binding), what);
          if (/ at (negotiate|tls)$/.test(outcome)) assertNameless(middleman, before, what);
        }
        assertKeysUnheard(middleman);
      } finally {
        await middleman.close();
      }
    }));
  });
}

/** What ended before the channel was judged has not even said who wanted in. */
function assertNameless(middleman: Middleman, from: number, what: string): void {
  for (const text of middleman.heard().slice(from)) {
    assert.ok(!/user\0|scram_user|application_name/.test(text), `${what}: ${text}`);
  }
}

/** The keys of the password, from the salts the middleman overheard, are in nothing he heard. */
function assertKeysUnheard(middleman: Middleman): void {
  const heard = middleman.heard().join("\n");
  const salts = new Set(
    middleman.overheard().flatMap((text) => {
      const salt = /,s=([\w+/=]+),i=4096/.exec(text)?.[1];
      return salt === undefined ? [] : [salt];
    }),
  );
  for (const salt of salts) {
    const secret = { password: SCRAM_PASSWORD, salt: Buffer.from(salt, "base64") };
    for (const key of Object.values(keysOf({ ...secret, iterations: 4096 }))) {
      for (const form of ["latin1", "hex", "base64"] as const) {
        assert.ok(!heard.includes(key.toString(form)), `a key can be read as ${form}`);
      }
    }
  }
}

test("what a middleman has decrypted is in his recording, hence a secret would be", {
  skip: live.skip(18),
}, async () => {
  const middleman = await startMiddleman(live.get(18).port, {
    tls: "terminate",
    certificate: "server",
  });
  try {
    const [clear] = CASES.filter(({ name }) => name === "asks for the password in clear");
    assert.ok(clear !== undefined);
    await reach(clear, middleman, "require", "prefer");
    const [heard = ""] = middleman.heard();
    assert.match(heard, /user\0scram_user\0database\0app\0/);
    assert.match(heard, /SCRAM-SHA-256-PLUS\0/);
    assert.match(middleman.overheard().join(""), /server_version\0/);
  } finally {
    await middleman.close();
  }
});

test("every kind of secret is found where it is readable", () => {
  const proof = `c=biws,r=abc,p=${"A".repeat(43)}=`;
  assert.deepEqual(readable(proof, "pencil"), ["a proof (n)"]);
  assert.deepEqual(readable(`p=${"A".repeat(43)}=`, "pencil"), ["a proof of no kind known"]);
  assert.deepEqual(readable(`md5${"0a".repeat(16)}`, "pencil"), ["an MD5 answer"]);
  assert.deepEqual(readable("p\0\0\0\u000bpencil\0", "pencil"), ["the password"]);
  assert.deepEqual(readable("Q\0\0\0\u000bselect 1\0", "pencil"), []);
});
