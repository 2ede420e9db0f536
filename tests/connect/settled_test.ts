import "../support/guard.ts";
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { createConnector } from "../../src/connect/connector.ts";
import { host } from "../../src/connect/host.ts";
import { Settling } from "../../src/connect/settled.ts";
import type { Target } from "../../src/connect/options.ts";
import type { Adapter } from "../../src/transport/transport.ts";
import { certificatePath, certificateText } from "../support/certificates.ts";
import { fakeServer, TARGET, trust } from "./fake_server.ts";
import { withHome } from "./home.ts";
import { askingClear } from "./logins.ts";
import { rejection } from "./rejection.ts";

const adapter = fakeServer(trust).adapter;

function settlingOf(
  target: Target,
  options: { readonly adapter: Adapter } = { adapter },
): Settling {
  return new Settling(target, options, host);
}

/** Sets an environment variable while `use` runs. */
async function withVariable(name: string, value: string, use: () => Promise<void>): Promise<void> {
  process.env[name] = value;
  try {
    await use();
  } finally {
    delete process.env[name];
  }
}

test("settings are settled once while nothing changes", () =>
  withHome(async () => {
    // A file that is older than this test: what changed a moment ago is read again in any case.
    const sslrootcert = certificatePath("ca.crt");
    const settling = settlingOf({ ...TARGET, sslmode: "verify-ca", sslrootcert });
    const [first, second] = [
      await settling.settle({ adapter }),
      await settling.settle({ adapter }),
    ];
    assert.equal(first.settings, second.settings);
    assert.equal(first.tls, second.tls);
    assert.equal(first.tls?.verify, "ca");
  }));

test("those who ask at once share the work", async () => {
  const settling = settlingOf({ ...TARGET });
  const all = await Promise.all(Array.from({ length: 20 }, () => settling.settle({ adapter })));
  assert.equal(new Set(all.map(({ settings }) => settings)).size, 1);
});

test("a file that is written twice in the same tick of the clock is read twice", () =>
  withHome(async (home) => {
    const settling = settlingOf({ ...TARGET, host: undefined, service: "s" });
    for (let round = 100; round < 120; round++) {
      for (const host of [`a${round}.test`, `b${round}.test`]) {
        // In place, as long as before and as old: only the inode's time may tell, which has whole seconds on Deno.
        const path = home.write(".pg_service.conf", `[s]\nhost=${host}\n`);
        utimesSync(path, new Date(1_700_000_000_000), new Date(1_700_000_000_000));
        assert.equal((await settling.settle({ adapter })).settings.hosts[0]?.host, host);
      }
    }
  }));

test("a service file that changed is read again", () =>
  withHome(async (home) => {
    const path = home.write(".pg_service.conf", "[s]\nhost=one.test\n");
    const settling = settlingOf({ ...TARGET, host: undefined, service: "s" });
    const hostNow = async (): Promise<string | undefined> =>
      (await settling.settle({ adapter })).settings.hosts[0]?.host;
    assert.equal(await hostNow(), "one.test");
    writeFileSync(path, "[s]\nhost=another.test\n");
    assert.equal(await hostNow(), "another.test");
    // As long as before, at the same time: it is another file.
    const other = home.write("other", "[s]\nhost=further.test\n");
    const time = new Date(1_700_000_000_000);
    utimesSync(path, time, time);
    assert.equal(await hostNow(), "another.test");
    utimesSync(other, time, time);
    renameSync(other, path);
    assert.equal(await hostNow(), "further.test");
    rmSync(path);
    assert.equal((await rejection(settling.settle({ adapter }))).code, "invalid-setting");
    writeFileSync(path, "[s]\nhost=back.test\n");
    assert.equal(await hostNow(), "back.test");
  }));

test("an environment variable that changed, came or went counts", async () => {
  const settling = settlingOf({ ...TARGET, dbname: undefined });
  const database = async (): Promise<string> =>
    (await settling.settle({ adapter })).settings.dbname;
  assert.equal(await database(), "app");
  await withVariable("PGDATABASE", "one", async () => {
    assert.equal(await database(), "one");
    process.env["PGDATABASE"] = "two";
    assert.equal(await database(), "two");
  });
  assert.equal(await database(), "app");
});

test("certificates are read again when they change, the default ones too", () =>
  withHome(async (home) => {
    const settling = settlingOf({ ...TARGET, sslmode: "require" });
    const verify = async (): Promise<unknown> => (await settling.settle({ adapter })).tls?.verify;
    assert.equal(await verify(), "none");
    mkdirSync(join(dirname(home.file), ".postgresql"));
    home.write(".postgresql/root.crt", certificateText("ca.crt"));
    assert.equal(await verify(), "ca");
    const before = (await settling.settle({ adapter })).tls;
    home.write(".postgresql/root.crt", certificateText("other-ca.crt"));
    assert.notEqual((await settling.settle({ adapter })).tls?.roots, before?.roots);
  }));

test("a list of revoked certificates that is added to a directory counts", () =>
  withHome(async (home) => {
    const folder = join(dirname(home.file), "crls");
    mkdirSync(folder);
    const withLists = {
      adapter: { ...adapter, abilities: { ...adapter.abilities, revocationLists: true } },
    };
    const settling = settlingOf({
      ...TARGET,
      sslmode: "verify-ca",
      sslrootcert: certificateText("ca.crt"),
      sslcrldir: folder,
    }, withLists);
    const lists = async (): Promise<unknown> =>
      (await settling.settle(withLists)).tls?.revocationLists;
    assert.equal(await lists(), undefined);
    writeFileSync(join(folder, "a.crl"), certificateText("ca.crl"));
    assert.ok(String(await lists()).includes("X509 CRL"));
  }));

test(
  "a key file that others may read now is refused now",
  { skip: process.platform === "win32" },
  () =>
    withHome(async (home) => {
      const sslkey = home.write("client.key", certificateText("client.key"));
      chmodSync(sslkey, 0o600);
      const settling = settlingOf({
        ...TARGET,
        sslmode: "require",
        sslcert: certificateText("client.crt"),
        sslkey,
      });
      await settling.settle({ adapter });
      chmodSync(sslkey, 0o644);
      assert.match(
        (await rejection(settling.settle({ adapter }))).message,
        /group or world access/,
      );
    }),
);

test("a password file is read again when it changes, and only then", () =>
  withHome(async (home) => {
    const path = home.write(".pgpass", "*:*:*:*:first\n");
    const received: Uint8Array[] = [];
    const server = fakeServer(askingClear(received));
    const connector = createConnector({ ...TARGET, host: "127.0.0.1", sslmode: "disable" }, {
      adapter: server.adapter,
    });
    const login = async (): Promise<string | undefined> => {
      await (await connector.connect()).close();
      return new TextDecoder().decode(received.at(-1));
    };
    assert.deepEqual([await login(), await login()], ["first", "first"]);
    home.write(".pgpass", "*:*:*:*:second\n");
    assert.equal(await login(), "second");
    chmodSync(path, 0o644);
    const error = await rejection(connector.connect());
    assert.equal(error.code, "password-missing");
    assert.match(error.message, /group or world access/);
  }));

test("clear() settles anew", async () => {
  const settling = settlingOf({ ...TARGET });
  const before = await settling.settle({ adapter });
  settling.clear();
  assert.notEqual((await settling.settle({ adapter })).settings, before.settings);
});
