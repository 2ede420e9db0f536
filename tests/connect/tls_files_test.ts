import "../support/guard.ts";
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, test } from "node:test";
import { connect } from "../../src/connect/connect.ts";
import { type Host, host as realHost } from "../../src/connect/host.ts";
import { tlsPolicy } from "../../src/connect/tls_request.ts";
import { ConfigError } from "../../src/errors.ts";
import { parseConnectionString } from "../../src/settings/parse.ts";
import { resolveSettings } from "../../src/settings/resolve.ts";
import { certificatePath, certificateText } from "../support/certificates.ts";
import { fakeServer, LOCAL, trust } from "./fake_server.ts";
import { reasonOf, rejection } from "./rejection.ts";

const CA = certificateText("ca.crt");
const CERTIFICATE = certificateText("client.crt");
const KEY = certificateText("client.key");

const folder = mkdtempSync(join(tmpdir(), "pg-handshake-"));
after(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string, mode = 0o600): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

/** A machine with these files and nothing else. */
function machine(
  files: Readonly<Record<string, string>>,
  permissions: { readonly mode: number; readonly rootOwned: boolean } | undefined = undefined,
): Host {
  return {
    ...realHost,
    userName: () => assert.fail("the account was asked for"),
    accountHome: () => Promise.resolve("/home/app"),
    readText: (path) => Promise.resolve(files[path]),
    permissions: () => Promise.resolve(permissions && { ...permissions, regular: true }),
  };
}

function policyOf(text: string, host: Host) {
  const target = `host=db.test user=app ${text}`;
  return tlsPolicy(resolveSettings(parseConnectionString(target)), host);
}

async function configError(promise: Promise<unknown>, keyword: string): Promise<ConfigError> {
  const error = await reasonOf(promise);
  assert.ok(error instanceof ConfigError, String(error));
  assert.equal(error.keyword, keyword);
  return error;
}

const HOME_ROOT = "/home/app/.postgresql/root.crt";

const ROOTS: readonly {
  readonly target: string;
  readonly files: Readonly<Record<string, string>>;
  readonly verify: string;
  readonly roots: unknown;
}[] = [
  { target: "sslmode=prefer", files: {}, verify: "none", roots: "system" },
  { target: "sslmode=require", files: {}, verify: "none", roots: "system" },
  { target: "sslmode=prefer", files: { [HOME_ROOT]: CA }, verify: "ca", roots: { pem: CA } },
  { target: "sslmode=require", files: { [HOME_ROOT]: CA }, verify: "ca", roots: { pem: CA } },
  { target: "sslmode=require sslrootcert=/x.crt", files: {}, verify: "none", roots: "system" },
  {
    target: "sslmode=require sslrootcert=/x.crt",
    files: { "/x.crt": CA },
    verify: "ca",
    roots: { pem: CA },
  },
  {
    target: "sslmode=verify-ca sslrootcert=/x.crt",
    files: { "/x.crt": CA, [HOME_ROOT]: "not read" },
    verify: "ca",
    roots: { pem: CA },
  },
  {
    target: "sslmode=verify-full",
    files: { [HOME_ROOT]: CA },
    verify: "full",
    roots: { pem: CA },
  },
  {
    target: `sslmode=verify-full sslrootcert='${CA}'`,
    files: {},
    verify: "full",
    roots: { pem: CA },
  },
  { target: "sslrootcert=system", files: {}, verify: "full", roots: "system" },
  {
    target: "sslmode=require sslrootcert=system.crt",
    files: { "system.crt": CA },
    verify: "ca",
    roots: { pem: CA },
  },
];

for (const { target, files, verify, roots } of ROOTS) {
  const short = target.replace(CA, "<PEM>");
  const found = Object.keys(files).join(" and ") || "no file";
  test(`${short} with ${found} verifies "${verify}"`, async () => {
    const policy = await policyOf(target, machine(files));
    assert.deepEqual([policy.verify, policy.roots], [verify, roots]);
    assert.deepEqual(policy.alpn, ["postgresql"]);
  });
}

for (const sslmode of ["verify-ca", "verify-full"]) {
  test(`${sslmode} without a root certificate is an error that says what to do`, async () => {
    const error = await configError(policyOf(`sslmode=${sslmode}`, machine({})), "sslrootcert");
    assert.match(error.message, /root certificate file "\/home\/app.*does not exist.*sslrootcert/s);
    const named = policyOf(`sslmode=${sslmode} sslrootcert=/missing.crt`, machine({}));
    assert.match((await configError(named, "sslrootcert")).message, /"\/missing\.crt" does not/);
    const homeless = { ...machine({}), accountHome: () => Promise.resolve(undefined) };
    await configError(policyOf(`sslmode=${sslmode}`, homeless), "sslrootcert");
  });
}

for (
  const [name, text] of [["an empty file", ""], ["DER", "\u0000\u0001"], [
    "a page",
    "<html>",
  ]] as const
) {
  test(`${name} is no sslrootcert, even where nothing had to be verified`, async () => {
    const target = "sslmode=require sslrootcert=/x.crt";
    const error = await configError(policyOf(target, machine({ "/x.crt": text })), "sslrootcert");
    assert.match(error.message, /no PEM certificate/);
  });
}

const IDENTITY = "sslmode=require sslcert=/c.crt sslkey=/c.key";
const FILES = { "/c.crt": CERTIFICATE, "/c.key": KEY };

test("a client certificate is read from files, the passphrase comes with it", async () => {
  const { identity } = await policyOf(`${IDENTITY} sslpassword=pass`, machine(FILES));
  assert.deepEqual(identity, { certificate: CERTIFICATE, key: KEY, passphrase: "pass" });
});

test("a client certificate may be PEM text, whose permissions nobody asks for", async () => {
  const target = `sslmode=require sslcert='${CERTIFICATE}' sslkey='${KEY}'`;
  const closed = { ...machine({}), permissions: () => assert.fail("permissions were asked for") };
  const { identity } = await policyOf(target, closed);
  assert.deepEqual(identity, { certificate: CERTIFICATE, key: KEY, passphrase: undefined });
});

test("a sslcert that does not exist means no client certificate, as in libpq", async () => {
  const { identity } = await policyOf(IDENTITY, machine({ "/c.key": KEY }));
  assert.equal(identity, undefined);
});

test("a sslcert without its key is an error", async () => {
  const error = await configError(
    policyOf(IDENTITY, machine({ "/c.crt": CERTIFICATE })),
    "sslkey",
  );
  assert.match(error.message, /certificate present, but not private key file "\/c\.key"/);
});

const MODES: readonly (readonly [mode: number, rootOwned: boolean, allowed: boolean])[] = [
  [0o600, false, true],
  [0o400, false, true],
  [0o640, false, false],
  [0o604, false, false],
  [0o644, false, false],
  [0o620, false, false],
  [0o600, true, true],
  [0o640, true, true],
  [0o440, true, true],
  [0o660, true, false],
  [0o650, true, false],
  [0o644, true, false],
];

for (const [mode, rootOwned, allowed] of MODES) {
  const text = mode.toString(8).padStart(4, "0");
  const owner = rootOwned ? "root" : "the user";
  test(`a sslkey of mode ${text} that ${owner} owns is ${allowed ? "taken" : "refused"}`, async () => {
    const result = policyOf(IDENTITY, machine(FILES, { mode, rootOwned }));
    if (allowed) return assert.equal((await result).identity?.key, KEY);
    const error = await configError(result, "sslkey");
    assert.ok(error.message.includes(`"/c.key" has group or world access`), error.message);
    assert.ok(error.message.includes(text));
    assert.doesNotMatch(error.message, /PRIVATE/);
  });
}

const ON_WINDOWS = process.platform === "win32";

test("a real sslkey open to others is refused before anything is dialed", {
  skip: ON_WINDOWS && "runs on systems with permission bits only",
}, async () => {
  const server = fakeServer(trust);
  const open = {
    ...LOCAL,
    sslmode: "require",
    sslcert: file("client.crt", CERTIFICATE, 0o644),
    sslkey: file("open.key", KEY, 0o644),
  };
  const error = await rejection(connect(open, { adapter: server.adapter }));
  assert.ok(error instanceof ConfigError);
  assert.equal(error.keyword, "sslkey");
  assert.equal(server.dials.length, 0);
});

test("real files are read as they are named", async () => {
  const server = fakeServer(async (peer, connection) => {
    await peer.packet();
    await peer.send(Uint8Array.of(0x53));
    await trust(peer, connection);
  });
  const target = {
    ...LOCAL,
    host: "localhost",
    sslmode: "verify-full",
    sslrootcert: certificatePath("ca.crt"),
    sslcert: file("client.crt", CERTIFICATE, 0o644),
    sslkey: file("closed.key", KEY),
  };
  await (await connect(target, { adapter: server.adapter })).close();
  await server.done();
  const [request] = server.tlsRequests;
  assert.deepEqual(request?.roots, { pem: CA });
  assert.deepEqual(request?.identity, {
    certificate: CERTIFICATE,
    key: KEY,
    passphrase: undefined,
  });
  assert.deepEqual([request?.verify, request?.host, request?.serverName], [
    "full",
    "localhost",
    "localhost",
  ]);
});

test("a folder is no file", async () => {
  const error = await reasonOf(
    policyOf(`sslmode=verify-ca sslrootcert='${folder}'`, realHost),
  );
  assert.ok(error instanceof ConfigError, String(error));
  assert.deepEqual([error.code, error.keyword], ["invalid-setting", "sslrootcert"]);
  assert.notEqual(error.cause, undefined);
});

test("the root certificate of the account's home is found", {
  skip: ON_WINDOWS && "runs on systems with HOME only",
}, async () => {
  mkdirSync(join(folder, ".postgresql"), { recursive: true });
  file(".postgresql/root.crt", CA);
  const home = process.env["HOME"];
  process.env["HOME"] = folder;
  try {
    const policy = await policyOf("sslmode=verify-full", realHost);
    assert.deepEqual(policy.roots, { pem: CA });
  } finally {
    if (home === undefined) delete process.env["HOME"];
    else process.env["HOME"] = home;
  }
});
