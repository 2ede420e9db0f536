import "../support/guard.ts";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { connect } from "../../src/connect/connect.ts";
import type { PasswordSource } from "../../src/connect/options.ts";
import { ConnectionError } from "../../src/errors.ts";
import { endpointOf } from "../../src/transport/endpoint.ts";
import type { Adapter, Transport } from "../../src/transport/transport.ts";
import { encodeBackend } from "../../src/wire/backend.ts";
import { ALL_ABILITIES, GREETING } from "../connect/fake_server.ts";
import { reasonOf } from "../connect/rejection.ts";
import { PLAIN } from "../connect/sessions.ts";
import { flight } from "../handshake/vector_case.ts";
import { CLIENT_NONCE } from "../handshake/vector_case.ts";
import { fixNonce } from "../support/fixed_nonce.ts";
import { join } from "../support/vectors.ts";
import { interceptPbkdf2 } from "../support/pbkdf2.ts";
import { holds, watchCopies } from "./copies.ts";

/** The password of the vectors; in full-width letters SASLprep makes the same of it, in octets of its own. */
const PASSWORD = "pencil";
const FULL_WIDTH = "ｐｅｎｃｉｌ";
const octetsOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

const WELCOME = join(...GREETING.map(encodeBackend));
const CLEAR = encodeBackend({ type: "AuthenticationCleartextPassword" });
const MD5 = encodeBackend({ type: "AuthenticationMD5Password", salt: Uint8Array.of(1, 2, 3, 4) });
const SCRAM = [flight("ask-scram"), flight("server-first"), join(flight("final-n"), WELCOME)];

/** What a server sends, a flight after each of ours, and what of it the password goes through. */
const METHODS: Readonly<Record<string, readonly Uint8Array[]>> = {
  password: [CLEAR, WELCOME],
  md5: [MD5, WELCOME],
  scram: SCRAM,
};

/** One connection, without a copy of anything: what `write` was given, and what it held then. */
class Line {
  readonly written: { readonly octets: Uint8Array; readonly then: string }[] = [];
  readonly adapter: Adapter = {
    name: "line",
    abilities: ALL_ABILITIES,
    dial: (address) => Promise.resolve(this.#transport(endpointOf(address, "127.0.0.1"))),
  };
  readonly #flights: Uint8Array[];
  readonly #unwritable: string | undefined;

  /** @param unwritable A text; a write that holds it fails. */
  constructor(flights: readonly Uint8Array[], unwritable?: string) {
    this.#flights = flights.map((one) => Uint8Array.from(one));
    this.#unwritable = unwritable;
  }

  /** What is still there of everything written. */
  get left(): readonly string[] {
    return this.written.map(({ octets }) => Buffer.from(octets).toString("latin1"));
  }

  #transport(endpoint: Transport["endpoint"]): Transport {
    const waiting: Uint8Array[] = [];
    return {
      endpoint,
      read: () => Promise.resolve(waiting.shift()),
      write: (octets) => {
        const then = Buffer.from(octets).toString("latin1");
        this.written.push({ octets, then });
        if (this.#unwritable !== undefined && then.includes(this.#unwritable)) {
          return Promise.reject(new ConnectionError("connection-lost", "it broke"));
        }
        const next = this.#flights.shift();
        if (next !== undefined) waiting.push(next);
        return Promise.resolve();
      },
      closeWrite: () => Promise.resolve(),
      startTls: () => Promise.reject(new Error("there is no TLS")),
      close: () => {},
    };
  }
}

/** Uses the nonce of the vectors, and notes what PBKDF2 is given and gives. */
class CryptoWatch {
  readonly given: { readonly octets: Uint8Array; readonly then: string }[] = [];
  readonly derived: Uint8Array[] = [];
  readonly #restore: () => void;
  readonly #release: () => void;

  constructor(fails: boolean) {
    this.#release = fixNonce(Buffer.from(CLIENT_NONCE, "base64"));
    this.#restore = interceptPbkdf2(async ({ password: octets, run }) => {
      this.given.push({ octets, then: Buffer.from(octets).toString() });
      if (fails) throw new Error("it failed");
      const derived = await run();
      this.derived.push(derived);
      return derived;
    });
  }

  stop(): void {
    this.#release();
    this.#restore();
  }
}

/** Logs in, or fails to, and gives what was seen. */
async function logIn(
  flights: readonly Uint8Array[],
  password: PasswordSource,
  options: { readonly fails?: true; readonly unwritable?: string } = {},
): Promise<{ readonly line: Line; readonly crypto: CryptoWatch; readonly error: unknown }> {
  const crypto = new CryptoWatch(options.fails === true);
  const line = new Line(flights, options.unwritable);
  try {
    const connecting = connect(PLAIN, { adapter: line.adapter, password });
    const fails = options.fails === true || options.unwritable !== undefined;
    if (fails) return { line, crypto, error: await reasonOf(connecting) };
    const session = await connecting;
    await session.close();
    return { line, crypto, error: undefined };
  } finally {
    crypto.stop();
  }
}

const isZero = (octets: Uint8Array): boolean => octets.every((octet) => octet === 0);

for (const [method, flights] of Object.entries(METHODS)) {
  for (const how of ["given", "from a callback"]) {
    test(`octets ${how} for ${method} are left as they are`, async () => {
      const mine = octetsOf(PASSWORD);
      const password = how === "given" ? mine : (): Uint8Array => mine;
      await logIn(flights, password);
      assert.deepEqual(mine, octetsOf(PASSWORD));
      // A second connect with the same array must find the same password.
      await logIn(flights, password);
      assert.deepEqual(mine, octetsOf(PASSWORD));
    });
  }

  for (const [kind, text] of [["ASCII", PASSWORD], ["full width", FULL_WIDTH]] as const) {
    for (const form of ["a text", "octets"]) {
      test(`after ${method} no copy of a password in ${kind}, given as ${form}, is left`, async () => {
        const octets = octetsOf(text);
        const watch = watchCopies([octets, octetsOf(PASSWORD)], octets);
        try {
          await logIn(flights, form === "octets" ? octets : text);
          assert.ok(watch.seen > 0, "copies are not seen");
          assert.equal(watch.left(), 0, `of ${watch.seen} copies so many are left`);
        } finally {
          watch.stop();
        }
      });
    }
  }
}

test("what PBKDF2 is given is the password, and zero once the keys are derived", async () => {
  const { crypto } = await logIn(SCRAM, octetsOf(FULL_WIDTH));
  assert.deepEqual(crypto.given.map(({ then }) => then), [PASSWORD]);
  assert.deepEqual(crypto.given.map(({ octets }) => isZero(octets)), [true]);
});

test("the salted password is zero once the keys are derived", async () => {
  const { crypto } = await logIn(SCRAM, PASSWORD);
  assert.equal(crypto.derived.length, 1);
  assert.deepEqual(crypto.derived.map(isZero), [true]);
});

test("what PBKDF2 is given is zero also after it failed", async () => {
  const { crypto, error } = await logIn(SCRAM, PASSWORD, { fails: true });
  assert.match(String(error), /it failed/);
  assert.deepEqual(crypto.given.map(({ then }) => then), [PASSWORD]);
  assert.deepEqual(crypto.given.map(({ octets }) => isZero(octets)), [true]);
});

test("what a PasswordMessage was written from is zero once it is written", async () => {
  const { line } = await logIn([CLEAR, WELCOME], PASSWORD);
  assert.equal(line.written.filter(({ then }) => then.includes(PASSWORD)).length, 1);
  assert.deepEqual(line.left.filter((text) => text.includes(PASSWORD)), []);
});

test("what a PasswordMessage was written from is zero also if the write failed", async () => {
  const { line, error } = await logIn([CLEAR], PASSWORD, { unwritable: PASSWORD });
  assert.ok(error instanceof ConnectionError);
  assert.equal(line.written.filter(({ then }) => then.includes(PASSWORD)).length, 1);
  assert.deepEqual(line.left.filter((text) => text.includes(PASSWORD)), []);
});

test("a password in SCRAM is never written at all", async () => {
  const { line, crypto } = await logIn(SCRAM, PASSWORD);
  assert.equal(line.written.some(({ then }) => then.includes(PASSWORD)), false);
  assert.equal(crypto.given.length, 1);
  assert.ok(line.written.every(({ octets }) => !holds(octets, octetsOf(PASSWORD))));
});
