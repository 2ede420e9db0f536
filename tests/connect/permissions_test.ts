import "../support/guard.ts";
import assert from "node:assert/strict";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { encodeBackend } from "../../src/wire/backend.ts";
import { certificatePath } from "../support/certificates.ts";
import { execute } from "../support/execute.ts";
import { type Script, startScripted } from "../support/servers.ts";
import { join as joinOctets } from "../support/vectors.ts";
import { GREETING } from "./fake_server.ts";
import type { Permitted } from "./permitted.ts";

const SKIP = "Deno" in globalThis ? false : "runs on Deno only";
/** `.ts` even in the compiled tests: Deno runs what stands in the repository only. */
const CHILD = fileURLToPath(new URL("./permitted.ts", import.meta.url));
const LIMIT_MS = 60_000;

const LET_IN = joinOctets(...GREETING.map(encodeBackend));
const PLAIN: Script = [{ expect: "packet" }, { send: LET_IN }, { wait: true }];
const TLS: Script = [
  { expect: "packet" },
  { send: "53" },
  { tls: "server" },
  { expect: "packet" },
  { send: LET_IN },
  { wait: true },
];
const PASSWORD: Script = [
  { expect: "packet" },
  { send: "52 00000008 00000003" },
  { expect: "message" },
  { send: LET_IN },
  { wait: true },
];

/** What a child is given besides its target. */
interface Circumstances {
  readonly flags: readonly string[];
  /** Added to our environment. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** How a child's connection went, and every permission it made use of, or would have asked for. */
interface Ran extends Permitted {
  readonly used: readonly string[];
}

/** A place of a test's own, whose name Deno's lists of paths can hold. */
async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "pg-handshake-permissions-"));
  try {
    await run(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function connectIn(
  folder: string,
  target: Readonly<Record<string, string | number>>,
  { flags, environment = {} }: Circumstances,
): Promise<Ran> {
  const audit = join(folder, "audit.jsonl");
  rmSync(audit, { force: true });
  const { code, output } = await execute(process.execPath, [
    "run",
    "--no-prompt",
    "--no-check",
    "--quiet",
    ...flags,
    CHILD,
    JSON.stringify(target),
  ], {
    limitMs: LIMIT_MS,
    environment: {
      ...process.env,
      NO_COLOR: "1",
      DENO_AUDIT_PERMISSIONS: audit,
      ...environment,
    },
  });
  const line = output.split("\n").find((text) => text.startsWith("{"));
  assert.ok(code === 0 && line !== undefined, `the child ended with ${code}: ${output}`);
  const text = existsSync(audit) ? readFileSync(audit, "utf8") : "";
  const used = text.split("\n").filter((entry) => entry !== "").map((entry) => {
    const { permission, value } = JSON.parse(entry) as { permission: string; value: string };
    return `${permission} ${value}`;
  });
  return { ...JSON.parse(line) as Permitted, used: [...new Set(used)].sort() };
}

/** Starts a server for a test and a folder beside it. */
function withServer(
  script: Script,
  run: (port: number, folder: string, received: () => string) => Promise<void>,
): () => Promise<void> {
  return () =>
    withFolder(async (folder) => {
      const server = await startScripted(script);
      const received = (): string =>
        server.received().map((octets) => new TextDecoder("latin1").decode(octets)).join("");
      try {
        await run(server.port, folder, received);
      } finally {
        await server.close();
      }
    });
}

const succeeded = (ran: Ran): void =>
  assert.deepEqual(ran.parameters, ["server_version"], ran.message);

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
    const flag = /"(--allow-net=[^"]*)"/.exec(denied.message ?? "")?.[1];
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
      const denied = await connectIn(folder, target, { flags: [] });
      assert.equal(denied.code, "missing-permission");
      assert.ok(denied.message?.includes(`"${flags.join(" ")}"`), denied.message);
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
    assert.ok(denied.message?.includes(`--allow-read=${sslrootcert}`), denied.message);
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
    assert.ok(denied.message?.includes(`--allow-read=${passfile}`), denied.message);
    succeeded(await connectIn(folder, target, { flags: [net, `--allow-read=${passfile}`] }));
  }),
);

test(
  "on Deno: ~/.pg_service.conf needs --allow-env=HOME and --allow-read of it",
  {
    skip: SKIP,
  },
  withServer(PLAIN, async (port, folder) => {
    const path = join(folder, ".pg_service.conf");
    writeFileSync(path, `[shop]\nhost=127.0.0.1\nport=${port}\nuser=app\nsslmode=disable\n`);
    const environment = { HOME: folder, DENO_DIR: join(folder, "deno") };
    const flags = [`--allow-net=127.0.0.1:${port}`, "--allow-env=HOME", `--allow-read=${path}`];
    succeeded(await connectIn(folder, { service: "shop" }, { flags, environment }));
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
      const flag = /--allow-(?:env|read)=[^\s")]+/.exec(ran.message ?? "")?.[0];
      assert.ok(flag !== undefined && !flags.includes(flag), ran.message);
      flags.push(flag);
    }
    assert.fail(`it never succeeded: ${flags.join(" ")}`);
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
    const flag = /--allow-sys=[a-zA-Z,]+/.exec(denied.message ?? "")?.[0];
    assert.equal(flag, "--allow-sys=userInfo,uid,gid");
    succeeded(await connectIn(folder, target, { flags: [net, flag ?? ""] }));
  }),
);
