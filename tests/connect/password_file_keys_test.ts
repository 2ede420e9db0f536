import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../src/connect/connect.ts";
import { host as machine } from "../../src/connect/host.ts";
import { errorResponse, fakeServer } from "./fake_server.ts";
import { asking, passwordsTo, PLAIN, withHome } from "./home.ts";

/** What a line must begin with for a target to find it. */
const KEYS: readonly {
  readonly name: string;
  readonly target: Readonly<Record<string, string>>;
  readonly key: string;
}[] = [
  {
    name: "host, not hostaddr",
    target: { host: "db.test", hostaddr: "127.0.0.1" },
    key: "db.test:5432:shop:app",
  },
  {
    name: "hostaddr where there is no host",
    target: { host: "", hostaddr: "127.0.0.1" },
    key: "127.0.0.1:5432:shop:app",
  },
  {
    name: "localhost as it is written",
    target: { host: "localhost" },
    key: "localhost:5432:shop:app",
  },
  { name: "the port", target: { port: "6432" }, key: "127.0.0.1:6432:shop:app" },
  {
    name: "the database, the user's name unless given",
    target: { dbname: "" },
    key: "127.0.0.1:5432:app:app",
  },
  { name: "an IPv6 address as it is written", target: { host: "::1" }, key: "::1:5432:shop:app" },
  {
    name: "a socket directory that is not the default",
    target: { host: "/run/elsewhere" },
    key: "/run/elsewhere:5432:shop:app",
  },
  { name: "the first that matches", target: {}, key: "*:*:shop:*" },
];

for (const { name, target, key } of KEYS) {
  test(`a line is looked up by ${name}`, () =>
    withHome(async (home) => {
      home.write(".pgpass", `# a comment\nother:5432:shop:app:wrong\n${key}:right\n*:*:*:*:late\n`);
      const own = { ...PLAIN, ...target };
      assert.deepEqual(
        await passwordsTo(own, { resolve: () => Promise.resolve(["127.0.0.1"]) }),
        ["right"],
      );
    }));
}

test("the default directory of Unix sockets is called localhost", async () => {
  const directory = await machine.socketDirectory();
  assert.ok(directory !== undefined);
  await withHome(async (home) => {
    home.write(".pgpass", `${directory}:5432:shop:app:wrong\nlocalhost:5432:shop:app:right\n`);
    assert.deepEqual(await passwordsTo({ ...PLAIN, host: directory }), ["right"]);
  });
});

test("each host of a list has its own line", () =>
  withHome(async (home) => {
    home.write(".pgpass", "127.0.0.1:5432:*:*:first\n127.0.0.2:5433:*:*:second\n");
    const passwords: string[] = [];
    const server = fakeServer(async (peer, connection) => {
      if (connection > 0) return await asking(passwords)(peer, connection);
      await peer.packet();
      await peer.send({ type: "AuthenticationCleartextPassword" });
      const message = await peer.message("password");
      assert.ok(message.type === "PasswordMessage");
      passwords.push(new TextDecoder().decode(message.password));
      await peer.send(errorResponse("57P03", "the database system is shutting down"));
      await peer.end();
    });
    const target = { ...PLAIN, host: "127.0.0.1,127.0.0.2", port: "5432,5433" };
    const session = await connect(target, { adapter: server.adapter });
    await session.close();
    assert.deepEqual(passwords, ["first", "second"]);
  }));
