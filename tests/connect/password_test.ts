import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../src/connect/connect.ts";
import type { ConnectOptions, PasswordContext } from "../../src/connect/options.ts";
import { PolicyError } from "../../src/errors.ts";
import { md5Password } from "../../src/auth/md5.ts";
import { decodeText } from "../../src/wire/text.ts";
import { fakeServer, GREETING, type Play, TARGET } from "./fake_server.ts";
import { refusal, rejection } from "./rejection.ts";
import { askingClear, askingScram, login } from "./logins.ts";
import { PLAIN } from "./sessions.ts";

const SALT = Uint8Array.of(1, 2, 3, 4);
const octets = new TextEncoder().encode("pass wörd");

const SOURCES: readonly {
  readonly name: string;
  readonly target?: Readonly<Record<string, string>>;
  readonly options?: ConnectOptions;
}[] = [
  { name: "a text in the target", target: { password: "pass wörd" } },
  { name: "a text as option", options: { password: "pass wörd" } },
  { name: "octets", options: { password: octets } },
  { name: "a callback that gives a text", options: { password: () => "pass wörd" } },
  { name: "a callback that gives octets", options: { password: () => octets } },
  {
    name: "a callback that gives a text later",
    options: { password: () => Promise.resolve("pass wörd") },
  },
  {
    name: "a callback that gives octets later",
    options: { password: () => Promise.resolve(octets) },
  },
  {
    name: "an option that goes before the target",
    target: { password: "another" },
    options: { password: "pass wörd" },
  },
];

for (const { name, target = {}, options = {} } of SOURCES) {
  test(`the password may be ${name}`, async () => {
    const received: Uint8Array[] = [];
    await login(fakeServer(askingClear(received)), { ...PLAIN, ...target }, options);
    assert.deepEqual(received.map((one) => decodeText(one)), ["pass wörd"]);
  });
}

test("octets that are no Unicode text are sent as they are", async () => {
  const received: Uint8Array[] = [];
  const password = Uint8Array.of(0xff, 0x80, 0x41);
  await login(fakeServer(askingClear(received)), PLAIN, { password });
  assert.deepEqual(received.map((one) => [...one]), [[0xff, 0x80, 0x41]]);
});

test("the callback is told what is asked for, once a request", async () => {
  const told: PasswordContext[] = [];
  const options = { password: (context: PasswordContext) => (told.push(context), "pencil") };
  await login(fakeServer(askingClear()), { ...PLAIN, port: "5439" }, options);
  await login(fakeServer(askingScram({ password: "pencil" })), PLAIN, options);
  await login(
    fakeServer(async (peer) => {
      await peer.packet();
      await peer.send({ type: "AuthenticationMD5Password", salt: SALT });
      const message = await peer.message("password");
      const expected = md5Password(
        new TextEncoder().encode("pencil"),
        new TextEncoder().encode("app"),
        SALT,
      );
      assert.deepEqual(message, { type: "PasswordMessage", password: expected });
      await peer.send(...GREETING);
    }),
    PLAIN,
    options,
  );
  assert.deepEqual(
    told.map(({ host, port, user, database, method }) => [host, port, user, database, method]),
    [
      ["127.0.0.1", 5439, "app", "shop", "password"],
      ["127.0.0.1", 5432, "app", "shop", "scram-sha-256"],
      ["127.0.0.1", 5432, "app", "shop", "md5"],
    ],
  );
  assert.ok(told.every(({ signal }) => signal instanceof AbortSignal && !signal.aborted));
});

test("the callback is not called where no password is wanted", async () => {
  const server = fakeServer(async (peer) => {
    await peer.packet();
    await peer.send(...GREETING);
  });
  await login(server, PLAIN, { password: () => assert.fail("nobody asked") });
});

test("the callback is not called for a request that is refused", async () => {
  const server = fakeServer(askingClear());
  const failed = await refusal(connect({ ...PLAIN, require_auth: "scram-sha-256" }, {
    adapter: server.adapter,
    password: () => assert.fail("nobody may ask"),
  }));
  assert.deepEqual(failed, { code: "auth-forbidden", phase: "authenticate" });
  await server.done();
  assert.deepEqual(server.sent(), [["StartupMessage"]]);
});

for (const later of [false, true]) {
  test(`a callback that ${later ? "rejects" : "throws"} is told as the cause`, async () => {
    const server = fakeServer(askingClear());
    const cause = new Error("the vault is sealed");
    const error = await rejection(connect(PLAIN, {
      adapter: server.adapter,
      password: () => {
        if (later) return Promise.reject(cause);
        throw cause;
      },
    }));
    assert.deepEqual([error.code, error.phase, error.cause], [
      "password-unavailable",
      "authenticate",
      cause,
    ]);
    await server.done();
    assert.deepEqual(server.sent(), [["StartupMessage"]]);
  });
}

test("an error of this package that a callback throws is given on, every time", async () => {
  const own = new PolicyError("password-unavailable", "Cannot get the token: not signed in");
  for (let time = 0; time < 2; time++) {
    const server = fakeServer(askingClear());
    const error = await rejection(connect(PLAIN, {
      adapter: server.adapter,
      password: () => Promise.reject(own),
    }));
    assert.equal(error, own);
    assert.equal(error.attempts?.length, 1);
  }
});

const METHODS: readonly { readonly play: Play; readonly name: string }[] = [
  { play: askingClear(), name: "AuthenticationCleartextPassword" },
  {
    play: async (peer) => {
      await peer.packet();
      await peer.send({ type: "AuthenticationMD5Password", salt: SALT });
      await peer.message("password");
    },
    name: "AuthenticationMD5Password",
  },
  { play: askingScram({ password: "pencil" }), name: "SCRAM-SHA-256" },
];

for (const { play, name } of METHODS) {
  for (
    const [kind, password] of [
      ["no password", undefined],
      ["an empty text", ""],
      ["no octets", new Uint8Array(0)],
      ["a callback that gives nothing", () => ""],
    ] as const
  ) {
    test(`${name} with ${kind} is an error that names the method`, async () => {
      const server = fakeServer(play);
      const options = password === undefined ? {} : { password };
      const error = await rejection(connect(PLAIN, { adapter: server.adapter, ...options }));
      assert.deepEqual([error.code, error.phase], ["password-missing", "authenticate"]);
      assert.ok(error.message.includes(name), error.message);
      assert.match(error.message, /user "app"/);
      await server.done();
      assert.ok(!server.sent().flat().some((one) => /PasswordMessage|SASLResponse/.test(one)));
    });
  }
}

for (
  const [name, password] of [
    ["a zero octet", "pass\0word"],
    ["half of a surrogate pair", "\ud800"],
  ] as const
) {
  test(`a text with ${name} is no password`, async () => {
    const server = fakeServer(askingClear());
    const error = await rejection(connect(PLAIN, { adapter: server.adapter, password }));
    assert.equal(error.code, "password-unavailable");
    await server.done();
    assert.deepEqual(server.sent(), [["StartupMessage"]]);
  });
}

test("a cleartext password does not cross the network in clear unless it is allowed to", async () => {
  const server = fakeServer(askingClear());
  const target = { ...TARGET, sslmode: "disable", password: "secret" };
  const failed = await refusal(connect(target, { adapter: server.adapter }));
  assert.deepEqual(failed, { code: "cleartext-forbidden", phase: "authenticate" });
  await server.done();
  assert.deepEqual(server.sent(), [["StartupMessage"]]);
  await login(fakeServer(askingClear()), target, { allowCleartextPassword: true });
});
