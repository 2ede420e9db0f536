import "../support/guard.ts";
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { connect } from "../../src/connect/connect.ts";
import { errorResponse, fakeServer, type Play, trust } from "./fake_server.ts";
import { asking, LINE, passwordsTo, PLAIN, withHome } from "./home.ts";
import { rejection } from "./rejection.ts";
import { ScramServer } from "./scram_server.ts";

const refusing: Play = async (peer) => {
  await peer.packet();
  await peer.send({ type: "AuthenticationCleartextPassword" });
  await peer.message("password");
  await peer.send(errorResponse("28P01", 'password authentication failed for user "app"'));
  await peer.end();
};

test("~/.pgpass is looked into without being named", () =>
  withHome(async (home) => {
    home.write(".pgpass", LINE);
    assert.deepEqual(await passwordsTo(PLAIN), ["from the file"]);
  }));

test("passfile names another one, and ~/.pgpass is left alone", () =>
  withHome(async (home) => {
    home.write(".pgpass", LINE);
    const passfile = home.write("other", "*:*:*:*:from the other\n");
    assert.deepEqual(await passwordsTo({ ...PLAIN, passfile }), ["from the other"]);
  }));

test("PGPASSFILE names one", () =>
  withHome(async (home) => {
    home.write(".pgpass", LINE);
    process.env["PGPASSFILE"] = home.write("other", "*:*:*:*:from the other\n");
    try {
      assert.deepEqual(await passwordsTo(PLAIN), ["from the other"]);
    } finally {
      delete process.env["PGPASSFILE"];
    }
  }));

test("a password of target, option or callback goes before the file's", () =>
  withHome(async (home) => {
    home.write(".pgpass", LINE);
    assert.deepEqual(await passwordsTo({ ...PLAIN, password: "target" }), ["target"]);
    assert.deepEqual(await passwordsTo(PLAIN, { password: "option" }), ["option"]);
    assert.deepEqual(await passwordsTo(PLAIN, { password: () => "callback" }), ["callback"]);
  }));

test("an empty password in the target counts as none, as in libpq", () =>
  withHome(async (home) => {
    home.write(".pgpass", LINE);
    assert.deepEqual(await passwordsTo({ ...PLAIN, password: "" }), ["from the file"]);
  }));

test("the file is read when the server asks, not before", () =>
  withHome(async (home) => {
    const passwords: string[] = [];
    const server = fakeServer(asking(passwords, () => home.write(".pgpass", LINE)));
    const session = await connect(PLAIN, { adapter: server.adapter });
    await session.close();
    assert.deepEqual(passwords, ["from the file"]);
  }));

test("a server that asks for nothing has the file not even looked at", async () => {
  // Nobody can look at a path that long; whoever tries is told so.
  const target = { ...PLAIN, passfile: `/${"x".repeat(5000)}` };
  const error = await rejection(connect(target, { adapter: fakeServer(asking([])).adapter }));
  assert.equal(error.code, "invalid-setting");
  await (await connect(target, { adapter: fakeServer(trust).adapter })).close();
});

for (const mode of [0o644, 0o640, 0o660, 0o604, 0o601, 0o777]) {
  const digits = mode.toString(8).padStart(4, "0");
  test(`a file with permissions ${digits} is not used, and the error says so`, () =>
    withHome(async (home) => {
      const path = home.write(".pgpass", LINE, mode);
      const server = fakeServer(asking([]));
      const error = await rejection(connect(PLAIN, { adapter: server.adapter }));
      assert.deepEqual([error.code, error.phase], ["password-missing", "authenticate"]);
      assert.ok(error.message.includes(`"${path}"`), error.message);
      assert.ok(error.message.includes(digits), error.message);
      assert.match(error.message, /u=rw \(0600\) or less/);
      assert.equal(error.message.includes("from the file"), false, "the password is shown");
      await server.done();
      assert.deepEqual(server.sent(), [["StartupMessage"]]);
    }));
}

for (const mode of [0o600, 0o400, 0o700]) {
  test(`a file with permissions 0${mode.toString(8)} is used`, () =>
    withHome(async (home) => {
      home.write(".pgpass", LINE, mode);
      assert.deepEqual(await passwordsTo(PLAIN), ["from the file"]);
    }));
}

test("a directory is no password file, and the error says so", () =>
  withHome(async (home) => {
    mkdirSync(home.file, { mode: 0o700 });
    const server = fakeServer(asking([]));
    const error = await rejection(connect(PLAIN, { adapter: server.adapter }));
    assert.equal(error.code, "password-missing");
    assert.ok(error.message.includes(`"${home.file}"`), error.message);
    assert.match(error.message, /not a plain file/);
  }));

test("a file that is missing is no failure of its own", () =>
  withHome(async (home) => {
    for (const passfile of [home.file, `${home.file}/is/no/folder`]) {
      const server = fakeServer(asking([]));
      const error = await rejection(connect({ ...PLAIN, passfile }, { adapter: server.adapter }));
      assert.equal(error.code, "password-missing");
      assert.match(error.message, /no password supplied/);
    }
  }));

test("a file without a line for the server is named", () =>
  withHome(async (home) => {
    home.write(".pgpass", "127.0.0.1:5433:shop:app:wrong port\n");
    const server = fakeServer(asking([]));
    const error = await rejection(connect(PLAIN, { adapter: server.adapter }));
    assert.equal(error.code, "password-missing");
    assert.ok(error.message.includes(`"${home.file}"`), error.message);
    assert.equal(error.message.includes("wrong port"), false, "a password is shown");
  }));

test("a line with an empty password is the same as none", () =>
  withHome(async (home) => {
    home.write(".pgpass", `127.0.0.1:5432:shop:app:\n${LINE}`);
    const server = fakeServer(asking([]));
    const error = await rejection(connect(PLAIN, { adapter: server.adapter }));
    assert.equal(error.code, "password-missing");
    await server.done();
    assert.deepEqual(server.sent(), [["StartupMessage"]]);
  }));

test("28P01 mentions the file the password came from, and no other error does", () =>
  withHome(async (home) => {
    const path = home.write(".pgpass", LINE);
    const told = await rejection(connect(PLAIN, { adapter: fakeServer(refusing).adapter }));
    assert.equal(told.sqlState, "28P01");
    assert.match(told.message, /^password authentication failed for user "app"/);
    assert.ok(told.message.includes(`password retrieved from file "${path}"`), told.message);
    const own = await rejection(
      connect({ ...PLAIN, password: "own" }, { adapter: fakeServer(refusing).adapter }),
    );
    assert.equal(own.message.includes(path), false);
    const server = fakeServer(async (peer) => {
      await peer.packet();
      await peer.send({ type: "AuthenticationCleartextPassword" });
      await peer.message("password");
      await peer.send(errorResponse("3D000", 'database "shop" does not exist'));
    });
    const other = await rejection(connect(PLAIN, { adapter: server.adapter }));
    assert.equal(other.message.includes(path), false);
  }));

test("a password is octets in no encoding", () =>
  withHome(async (home) => {
    const line = new TextEncoder().encode("*:*:*:*:p");
    home.write(".pgpass", Uint8Array.of(...line, 0xff, 0xe4, 0x0a));
    assert.deepEqual(await passwordsTo(PLAIN), ["p\xff\xe4"]);
  }));

test("SCRAM takes its password from the file too", () =>
  withHome(async (home) => {
    home.write(".pgpass", "*:*:*:app:pencil\r\n");
    const server = fakeServer(async (peer) => {
      await peer.packet();
      const scram = new ScramServer(peer, { password: "pencil" });
      await scram.first();
      const data = await scram.proof();
      await peer.send({ type: "AuthenticationSASLFinal", data }, { type: "AuthenticationOk" }, {
        type: "ReadyForQuery",
        status: "I",
      });
    });
    const session = await connect(PLAIN, { adapter: server.adapter });
    assert.equal(session.authentication.method, "scram-sha-256");
    await session.close();
    await server.done();
  }));
