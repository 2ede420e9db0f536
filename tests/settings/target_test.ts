import "../support/guard.ts";
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Host, host } from "../../src/connect/host.ts";
import type { Target } from "../../src/connect/options.ts";
import { ConfigError } from "../../src/errors.ts";
import { settingsOf } from "./settings_of.ts";

const folder = mkdtempSync(join(tmpdir(), "pg-handshake-target-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const onWindows = process.platform === "win32";

/** A machine that knows what it is given, and whose files are named by the last part of their path. */
function machine(
  environment: Readonly<Record<string, string>>,
  files: Readonly<Record<string, string>> = {},
): Host {
  return {
    ...host,
    platform: "posix",
    environmentReader: () => (name) => environment[name],
    userName: () => Promise.resolve("account"),
    accountHome: () => Promise.resolve("/home/me"),
    socketDirectory: () => Promise.resolve("/run/sockets"),
    readText: (path) => Promise.resolve(files[path]),
  };
}

const TARGETS: readonly (readonly [Target | undefined, string])[] = [
  [undefined, "/run/sockets:6000 account@env"],
  ["", "/run/sockets:6000 account@env"],
  ["postgres://u@h/d", "h:6000 u@d"],
  ["host=h port=1 user=u dbname=d", "h:1 u@d"],
  ["port=''", "/run/sockets:5432 account@env"],
  [{ host: "h", port: "" }, "h:6000 account@env"],
  [{ host: "h", port: 1 }, "h:1 account@env"],
  [{ dbname: "host=x port=7", host: "h" }, "h:7 account@env"],
  [{ service: "s" }, "fromfile:6000 account@d3"],
  ["postgres://?service=s&host=h", "h:6000 account@d3"],
];

for (const [target, expected] of TARGETS) {
  test(`settingsOf() completes the target ${JSON.stringify(target) ?? "that is not given"}`, async () => {
    const own = machine({ PGPORT: "6000", PGDATABASE: "env" }, {
      "/home/me/.pg_service.conf": "[s]\nhost=fromfile\ndbname=d3\n",
    });
    const { hosts: [first], user, dbname } = await settingsOf(target, own);
    assert.equal(`${first?.host}:${first?.port} ${user}@${dbname}`, expected);
  });
}

test("settingsOf() passes run-time parameters on, and those of the environment", async () => {
  const own = machine({ PGTZ: "UTC", PGDATESTYLE: "ISO", PGGEQO: "DEFAULT" });
  const { startup } = await settingsOf("user=u", own, { TimeZone: "CET", "app.x": "1" });
  assert.deepEqual(startup.slice(3), [["datestyle", "ISO"], ["TimeZone", "CET"], ["app.x", "1"]]);
});

test("settingsOf() says where a wrong value came from", async () => {
  await assert.rejects(settingsOf("host=h", machine({ PGSSLMODE: "x" })), {
    name: "ConfigError",
    message: /\(sslmode from the environment variable PGSSLMODE\)$/,
  });
});

test("settingsOf() reads this process's environment and files", async () => {
  const path = join(folder, "own_service.conf");
  writeFileSync(path, "[mine]\nhost=h\nsslmode=require\n");
  const set = { PGSERVICEFILE: path, PGSERVICE: "mine", PGPORT: "6001", PGAPPNAME: "caf\u00e9" };
  const before = Object.fromEntries(Object.keys(set).map((name) => [name, process.env[name]]));
  Object.assign(process.env, set);
  try {
    const settings = await settingsOf({ user: "u" }, host);
    assert.deepEqual(settings.hosts, [{
      host: "h",
      hostaddr: undefined,
      port: 6001,
      kind: "tcp",
    }]);
    assert.equal(settings.sslmode, "require");
    assert.ok(
      settings.startup.some(([name, value]) =>
        name === "application_name" && value === "caf\u00e9"
      ),
    );
    const asked = ["service", "host", "port", "sslmode", "user", "application_name"] as const;
    for (const keyword of asked) assert.ok(settings.explicit.has(keyword), keyword);
  } finally {
    for (const [name, value] of Object.entries(before)) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
});

test("the account is the one this process runs as, whatever USER says", {
  skip: onWindows ? "runs on systems with an id program only" : false,
}, async () => {
  const { stdout } = spawnSync("id", ["-un"], { encoding: "utf8" });
  const before = process.env["USER"];
  process.env["USER"] = "somebody-else";
  try {
    assert.equal(await host.userName(), stdout.trim());
  } finally {
    if (before === undefined) delete process.env["USER"];
    else process.env["USER"] = before;
  }
});

test("the home directory is that of the environment, else that of the account", {
  skip: onWindows ? "runs on systems with HOME only" : false,
}, async () => {
  const before = process.env["HOME"];
  try {
    process.env["HOME"] = "/home/of-the-environment";
    assert.equal(await host.accountHome(true), "/home/of-the-environment");
    for (const empty of ["", undefined]) {
      if (empty === undefined) delete process.env["HOME"];
      else process.env["HOME"] = empty;
      assert.match(await host.accountHome(false) ?? "", /^\/./);
    }
  } finally {
    if (before !== undefined) process.env["HOME"] = before;
  }
});

test("files are read, missing ones are undefined, and what is no file is an error", async () => {
  const path = join(folder, "text");
  writeFileSync(path, Uint8Array.of(0xef, 0xbb, 0xbf, 0x61, 0xc3, 0xa9));
  assert.equal(await host.readText(path, "service"), "\ufeffa\u00e9");
  assert.deepEqual(
    [...await host.readOctets(path, "passfile") ?? []],
    [0xef, 0xbb, 0xbf, 0x61, 0xc3, 0xa9],
  );
  assert.equal(await host.readText(join(folder, "absent"), "service"), undefined);
  if (!onWindows) assert.equal(await host.readText(join(path, "below"), "service"), undefined);
  await assert.rejects(host.readText(folder, "service"), (error) => {
    assert.ok(error instanceof ConfigError);
    assert.equal(error.keyword, "service");
    assert.match(error.message, /^Cannot read ".*" of "service"$/);
    return true;
  });
});

test("permission bits and the kind of a file are told", {
  skip: onWindows ? "runs on systems with permission bits only" : false,
}, async () => {
  const path = join(folder, "mode");
  writeFileSync(path, "");
  chmodSync(path, 0o640);
  const facts = await host.permissions(path, "passfile");
  assert.deepEqual(facts, { mode: 0o640, rootOwned: process.getuid?.() === 0, regular: true });
  assert.equal((await host.permissions(folder, "passfile"))?.regular, false);
});

test("the directory of Unix sockets is one of the two usual ones", async () => {
  const directory = await host.socketDirectory();
  const usual: readonly (string | undefined)[] = onWindows
    ? [undefined]
    : ["/tmp", "/var/run/postgresql"];
  assert.ok(usual.includes(directory), String(directory));
});

interface Probe {
  readonly title: string;
  readonly flags: readonly string[];
  readonly target: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly expected: Readonly<Record<string, unknown>> | RegExp;
}

const serviceFile = join(folder, "probe_service.conf");
writeFileSync(serviceFile, "[s]\nhost=fromfile\n");

const PROBES: readonly Probe[] = [
  {
    title: "a complete target needs no permission, and takes nothing from the environment",
    flags: [],
    target: "postgres://u@h/d",
    environment: { PGPORT: "6000", PGSSLMODE: "require" },
    expected: { host: "h", port: 5432, user: "u", sslmode: "prefer" },
  },
  {
    title: "what may be read of the environment is taken",
    flags: ["--allow-env=PGPORT,PGUSER"],
    target: "host=h",
    environment: { PGPORT: "6000", PGUSER: "v", PGSSLMODE: "require" },
    expected: { host: "h", port: 6000, user: "v", sslmode: "prefer" },
  },
  {
    title: "the whole environment may be read",
    flags: ["--allow-env"],
    target: "host=h user=u",
    environment: { PGPORT: "6000", PGSSLMODE: "require" },
    expected: { host: "h", port: 6000, user: "u", sslmode: "require" },
  },
  {
    title: "without a permission to look, sockets are where PostgreSQL's own builds put them",
    flags: [],
    target: "user=u",
    expected: { host: "/tmp", port: 5432, user: "u", sslmode: "prefer" },
  },
  {
    title: "a missing user needs the account",
    flags: [],
    target: "host=h",
    expected: /missing-permission.*--allow-sys=userInfo,uid,gid/,
  },
  {
    title: "the account may be looked up",
    flags: ["--allow-sys=userInfo,uid,gid"],
    target: "host=h dbname=d",
    expected: /"host":"h"/,
  },
  {
    title: "a service needs the environment",
    flags: [],
    target: "service=s user=u",
    expected: /missing-permission.*PGSERVICEFILE.*--allow-env=PGSERVICEFILE/,
  },
  {
    title: "a service needs its file",
    flags: ["--allow-env"],
    target: "service=s user=u",
    environment: { PGSERVICEFILE: serviceFile },
    expected: /missing-permission.*Deno needs --allow-read=/,
  },
  {
    title: "a service is read",
    flags: ["--allow-env", `--allow-read=${serviceFile}`],
    target: "service=s user=u",
    environment: { PGSERVICEFILE: serviceFile },
    expected: { host: "fromfile", port: 5432, user: "u", sslmode: "prefer", service: "s" },
  },
];

interface DenoProcess {
  execPath(): string;
  Command: new (program: string, options: object) => {
    outputSync(): { readonly stdout: Uint8Array; readonly stderr: Uint8Array };
  };
}

const { Deno } = globalThis as unknown as { Deno?: DenoProcess };

for (const { title, flags, target, environment, expected } of PROBES) {
  test(`on Deno: ${title}`, { skip: Deno === undefined ? "runs on Deno only" : false }, () => {
    if (Deno === undefined) return;
    const probe = fileURLToPath(new URL("./target_probe.ts", import.meta.url));
    const names = ["HOME", "PATH", "DENO_DIR"];
    const present = names.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value] as const];
    });
    // Not by node:child_process: there Deno hands all its permissions on to a Deno without any.
    const command = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--no-check", "--quiet", ...flags, probe, target],
      clearEnv: true,
      env: { ...Object.fromEntries(present), ...environment },
    });
    const { stdout, stderr } = command.outputSync();
    const [answer, trouble] = [stdout, stderr].map((octets) => new TextDecoder().decode(octets));
    if (expected instanceof RegExp) assert.match(answer ?? "", expected, trouble ?? "");
    else assert.deepEqual(JSON.parse(answer || "null"), expected, trouble ?? "");
  });
}
