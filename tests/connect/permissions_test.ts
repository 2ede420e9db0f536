import "../support/guard.ts";
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import {
  connectIn,
  LET_IN,
  PLAIN,
  SKIP,
  succeeded,
  TLS,
  withFolder,
  withServer,
} from "./permission_lab.ts";

for (const host of ["127.0.0.1", "localhost"]) {
  test(
    `on Deno: a complete target without TLS needs --allow-net=${host}:<port> and touches nothing else`,
    {
      skip: SKIP,
    },
    withServer(PLAIN, async (port, folder) => {
      const target = { host, port, user: "app", sslmode: "disable" };
      const ran = await connectIn(folder, target, { flags: [`--allow-net=${host}:${port}`] });
      succeeded(ran);
      assert.deepEqual(ran.used, [`net ${host}:${port}`]);
    }),
  );
}

for (
  const [what, host, flags, dialed] of [
    ["its name alone", "localhost", ["localhost"], "localhost"],
    ["its name and its address", "localhost", ["localhost", "127.0.0.1"], "127.0.0.1"],
  ] as const
) {
  test(
    `on Deno: a session whose host is permitted by ${what} can be cancelled`,
    { skip: SKIP },
    withServer(PLAIN, async (port, folder, received) => {
      const target = { host, port, user: "app", sslmode: "disable" };
      const allowed = `--allow-net=${flags.map((one) => `${one}:${port}`).join(",")}`;
      const ran = await connectIn(folder, target, { flags: [allowed], then: "cancel" });
      succeeded(ran);
      // This server lets in whoever comes, which is no answer to a cancel; the key has come.
      assert.match(ran.cancelled ?? "", /the server sent \d+ octets where it only closes/);
      assert.ok(received().includes("\u0004\u00d2\u0016."), "no CancelRequest came");
      assert.ok(ran.used.includes(`net ${dialed}:${port}`), ran.used.join());
    }),
  );
}

for (const sslmode of ["prefer", "require"]) {
  test(
    `on Deno: an address with sslmode=${sslmode} needs no more than its own --allow-net`,
    {
      skip: SKIP,
    },
    withServer(TLS, async (port, folder) => {
      const target = { host: "127.0.0.1", port, user: "app", sslmode };
      const ran = await connectIn(folder, target, { flags: [`--allow-net=127.0.0.1:${port}`] });
      succeeded(ran);
      assert.deepEqual(ran.used, [`net 127.0.0.1:${port}`]);
    }),
  );
}

test(
  "on Deno: a host by its name, over TLS, needs no more than its own --allow-net",
  {
    skip: SKIP,
  },
  withServer(TLS, async (port, folder) => {
    const target = { host: "localhost", port, user: "app", sslmode: "require" };
    succeeded(await connectIn(folder, target, { flags: [`--allow-net=localhost:${port}`] }));
  }),
);

test(
  "on Deno: a network that is not permitted is an error that names the flag, and the flag helps",
  {
    skip: SKIP,
  },
  withServer(PLAIN, async (port, folder) => {
    const target = { host: "127.0.0.1", port, user: "app", sslmode: "disable" };
    const denied = await connectIn(folder, target, { flags: ["--allow-net=127.0.0.1:1"] });
    assert.deepEqual([denied.code, denied.phase], ["missing-permission", "dial"]);
    const flag = /"(--allow-net=[^"]*)"/.exec(denied.message)?.[1];
    assert.equal(flag, `--allow-net=127.0.0.1:${port}`);
    succeeded(await connectIn(folder, target, { flags: [flag ?? ""] }));
  }),
);

test("on Deno: a Unix socket needs --allow-read, --allow-write and --allow-net of its path", {
  skip: SKIP,
}, () =>
  withFolder(async (folder) => {
    const path = join(folder, ".s.PGSQL.5432");
    const server = createServer((socket) => {
      socket.on("error", () => socket.destroy());
      socket.once("data", () => socket.write(LET_IN));
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    try {
      const target = { host: folder, user: "app" };
      const flags = [`--allow-read=${path}`, `--allow-write=${path}`, `--allow-net=unix:${path}`];
      const ran = await connectIn(folder, target, { flags });
      succeeded(ran);
      assert.ok(ran.used.every((used) => used.endsWith(path)), ran.used.join());
      // A child without any flag would be given all by Deno's node:child_process.
      const denied = await connectIn(folder, target, { flags: ["--allow-net=127.0.0.1:1"] });
      assert.equal(denied.code, "missing-permission");
      assert.ok(denied.message.includes(`"${flags.join(" ")}"`), denied.message);
      for (const flag of flags) {
        const others = flags.filter((other) => other !== flag);
        const ran = await connectIn(folder, target, { flags: others });
        assert.equal(ran.code, "missing-permission", `${flag} is not needed`);
      }
    } finally {
      await new Promise<void>((resolve) => server.close(() => resolve()));
    }
  }));

test(
  "on Deno: PG variables count where they may be read, else they are as good as unset",
  {
    skip: SKIP,
  },
  withServer(PLAIN, async (port, folder, received) => {
    const target = { host: "127.0.0.1", port, sslmode: "disable", user: "app" };
    const environment = { PGAPPNAME: "from the environment" };
    const net = `--allow-net=127.0.0.1:${port}`;
    const denied = await connectIn(folder, target, { flags: [net], environment });
    succeeded(denied);
    assert.deepEqual(denied.used, [`net 127.0.0.1:${port}`]);
    assert.equal(received().includes("from the environment"), false);
    for (const flag of ["--allow-env=PGAPPNAME", "--allow-env"]) {
      const before = received().length;
      succeeded(await connectIn(folder, target, { flags: [net, flag], environment }));
      assert.ok(received().slice(before).includes("from the environment"), flag);
    }
  }),
);

test(
  "on Deno: without a user the account is looked up, with --allow-sys=userInfo,uid,gid",
  {
    skip: SKIP,
  },
  withServer(PLAIN, async (port, folder) => {
    const target = { host: "127.0.0.1", port, sslmode: "disable" };
    const net = `--allow-net=127.0.0.1:${port}`;
    const denied = await connectIn(folder, target, { flags: [net] });
    assert.deepEqual([denied.code, denied.phase], ["missing-permission", "settings"]);
    const flag = /--allow-sys=[a-zA-Z,]+/.exec(denied.message)?.[0];
    assert.equal(flag, "--allow-sys=userInfo,uid,gid");
    succeeded(await connectIn(folder, target, { flags: [net, flag ?? ""] }));
  }),
);
