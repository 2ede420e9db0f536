import "../support/guard.ts";
import assert from "node:assert/strict";
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { certificatePath } from "../support/certificates.ts";
import { connectIn, PASSWORD, PLAIN, SKIP, succeeded, TLS, withServer } from "./permission_lab.ts";

test(
  "on Deno: sslrootcert as a file needs --allow-read of it, and says so",
  {
    skip: SKIP,
  },
  withServer(TLS, async (port, folder) => {
    const sslrootcert = certificatePath("ca.crt");
    const target = { host: "127.0.0.1", port, user: "app", sslmode: "verify-ca", sslrootcert };
    const net = `--allow-net=127.0.0.1:${port}`;
    const denied = await connectIn(folder, target, { flags: [net] });
    assert.deepEqual([denied.code, denied.phase], ["missing-permission", "settings"]);
    assert.ok(denied.message.includes(`--allow-read=${sslrootcert}`), denied.message);
    const ran = await connectIn(folder, target, { flags: [net, `--allow-read=${sslrootcert}`] });
    succeeded(ran);
    assert.deepEqual(ran.used, [`net 127.0.0.1:${port}`, `read ${sslrootcert}`]);
  }),
);

test(
  "on Deno: ~/.postgresql/root.crt counts where HOME and the file may be read, else nobody is asked",
  {
    skip: SKIP,
  },
  withServer(TLS, async (port, folder) => {
    const path = join(folder, ".postgresql", "root.crt");
    mkdirSync(join(folder, ".postgresql"));
    // Roots that did not sign the server's certificate: whoever reads them refuses the server.
    copyFileSync(certificatePath("other-ca.crt"), path);
    const target = { host: "127.0.0.1", port, user: "app", sslmode: "require" };
    const environment = { HOME: folder, DENO_DIR: join(folder, "deno") };
    const net = `--allow-net=127.0.0.1:${port}`;
    const both = ["--allow-env=HOME", `--allow-read=${path}`];
    const ran = await connectIn(folder, target, { flags: [net, ...both], environment });
    assert.equal(ran.code, "certificate-untrusted");
    for (const flag of both) {
      const less = await connectIn(folder, target, { flags: [net, flag], environment });
      succeeded(less);
      assert.equal(less.used.some((used) => used.startsWith("read ")), false, less.used.join());
    }
  }),
);

test(
  "on Deno: ~/.pgpass counts where HOME and the file may be read, else nobody is asked",
  {
    skip: SKIP,
  },
  withServer(PASSWORD, async (port, folder, received) => {
    const path = join(folder, ".pgpass");
    writeFileSync(path, "*:*:*:*:from the file\n");
    chmodSync(path, 0o600);
    const target = { host: "127.0.0.1", port, user: "app", sslmode: "disable" };
    const environment = { HOME: folder, DENO_DIR: join(folder, "deno") };
    const net = `--allow-net=127.0.0.1:${port}`;
    const both = ["--allow-env=HOME", `--allow-read=${path}`];
    for (const flag of both) {
      const less = await connectIn(folder, target, { flags: [net, flag], environment });
      assert.equal(less.code, "password-missing", flag);
      assert.equal(less.used.some((used) => used.startsWith("read ")), false, less.used.join());
    }
    succeeded(await connectIn(folder, target, { flags: [net, ...both], environment }));
    assert.ok(received().includes("from the file"));
  }),
);

test(
  "on Deno: a password file that is named and may not be read is an error that names the flag",
  {
    skip: SKIP,
  },
  withServer(PASSWORD, async (port, folder) => {
    const passfile = join(folder, "pgpass");
    writeFileSync(passfile, "*:*:*:*:from the file\n", { mode: 0o600 });
    const target = { host: "127.0.0.1", port, user: "app", sslmode: "disable", passfile };
    const net = `--allow-net=127.0.0.1:${port}`;
    const denied = await connectIn(folder, target, { flags: [net] });
    assert.equal(denied.code, "missing-permission");
    assert.ok(denied.message.includes(`--allow-read=${passfile}`), denied.message);
    succeeded(await connectIn(folder, target, { flags: [net, `--allow-read=${passfile}`] }));
  }),
);

test(
  "on Deno: ~/.pg_service.conf needs --allow-env=HOME,PGSERVICEFILE and --allow-read of it",
  {
    skip: SKIP,
  },
  withServer(PLAIN, async (port, folder) => {
    const path = join(folder, ".pg_service.conf");
    writeFileSync(path, `[shop]\nhost=127.0.0.1\nport=${port}\nuser=app\nsslmode=disable\n`);
    const environment = { HOME: folder, DENO_DIR: join(folder, "deno") };
    const needed = ["--allow-env=HOME,PGSERVICEFILE", `--allow-read=${path}`];
    const flags = [`--allow-net=127.0.0.1:${port}`, ...needed];
    succeeded(await connectIn(folder, { service: "shop" }, { flags, environment }));
    for (const flag of needed) {
      const less = flags.filter((other) => other !== flag);
      const denied = await connectIn(folder, { service: "shop" }, { flags: less, environment });
      assert.equal(denied.code, "missing-permission", `${flag} is not needed`);
    }
  }),
);

test(
  "on Deno: a service that may not be looked up is an error that names the flags, one after the other",
  {
    skip: SKIP,
  },
  withServer(PLAIN, async (port, folder) => {
    const path = join(folder, ".pg_service.conf");
    writeFileSync(path, `[shop]\nhost=127.0.0.1\nport=${port}\nuser=app\nsslmode=disable\n`);
    const environment = { HOME: folder, DENO_DIR: join(folder, "deno") };
    const flags = [`--allow-net=127.0.0.1:${port}`];
    for (let round = 0; round < 5; round++) {
      const ran = await connectIn(folder, { service: "shop" }, { flags, environment });
      if (ran.parameters !== undefined) return;
      assert.equal(ran.code, "missing-permission", ran.message);
      const flag = /--allow-(?:env|read)=[^\s")]+/.exec(ran.message)?.[0];
      assert.ok(flag !== undefined && !flags.includes(flag), ran.message);
      flags.push(flag);
    }
    assert.fail(`it never succeeded: ${flags.join(" ")}`);
  }),
);
