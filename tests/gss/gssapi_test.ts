import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError, type ConnectionError } from "../../src/errors.ts";
import type { ForeignRuntime } from "../../src/gss/foreign.ts";
import type { GssContext, GssContextRequest } from "../../src/gss/provider.ts";
import { SystemGssProvider } from "../../src/gss/system_provider.ts";
import { deferred } from "../connect/deferred.ts";
import { rejection } from "../connect/rejection.ts";
import { allPrints } from "../hostile/silence.ts";
import { toHex } from "../support/vectors.ts";
import { type FakeFunction, FakeLibrary, type FakeMemory } from "./fake_library.ts";

const LINUX = { platform: "linux", isX64: true } as const;
const CONTINUE_NEEDED = 1;
const FAILURE = 13 << 16;
const BAD_MIC = 6 << 16;
const OLD_TOKEN = 8;

/** As gssapi.h numbers them: mutual, replay, sequence, confidential, integrity. */
const ENCRYPTION = 2 | 4 | 8 | 16 | 32;

const REQUEST: GssContextRequest = {
  service: "postgres",
  host: "db.example",
  mechanism: "kerberos",
  delegate: false,
  encrypt: true,
  library: undefined,
};

function bufferAt(memory: FakeMemory, descriptor: bigint): Uint8Array {
  const view = memory.view(descriptor);
  return memory.at(view.getBigUint64(8, true)).slice(0, Number(view.getBigUint64(0, true)));
}

function giveBuffer(memory: FakeMemory, descriptor: bigint, octets: Uint8Array): void {
  const view = memory.view(descriptor);
  view.setBigUint64(0, BigInt(octets.length), true);
  view.setBigUint64(8, octets.length === 0 ? 0n : memory.place(octets), true);
}

/** A gss_OID_desc whose pointer stands where the platform has it. */
function oidAt(memory: FakeMemory, descriptor: bigint, pointerAt: number): string {
  const view = memory.view(descriptor);
  return toHex(memory.at(view.getBigUint64(pointerAt, true)).slice(0, view.getUint32(0, true)));
}

/** A library whose contexts are complete after one token of the server; `own` replaces functions of it. */
function library(
  own: Readonly<Record<string, FakeFunction>> = {},
  platform: Pick<ForeignRuntime, "platform" | "isX64"> = LINUX,
  pointerAt = 8,
): FakeLibrary {
  return new FakeLibrary(platform, {
    gss_import_name(memory, [, name = 0n, type = 0n, out = 0n]) {
      assert.equal(new TextDecoder().decode(bufferAt(memory, name)), "postgres@db.example");
      assert.equal(oidAt(memory, type, pointerAt), "2a864886f71201020104");
      memory.view(out).setBigUint64(0, 77n, true);
      return 0;
    },
    gss_init_sec_context(memory, args) {
      const [, credentials, context = 0n, name, mechanism = 0n, flags, , bindings, input = 0n] =
        args;
      const [, output = 0n, granted = 0n] = args.slice(9);
      assert.deepEqual([credentials, name, bindings], [0n, 77n, 0n]);
      assert.equal(oidAt(memory, mechanism, pointerAt), "2a864886f712010202");
      memory.view(context).setBigUint64(0, 99n, true);
      memory.view(granted).setUint32(0, Number(flags), true);
      if (input === 0n) {
        giveBuffer(memory, output, Uint8Array.of(0x60, 1));
        return CONTINUE_NEEDED;
      }
      assert.equal(toHex(bufferAt(memory, input)), "6002");
      giveBuffer(memory, output, new Uint8Array(0));
      return 0;
    },
    gss_wrap_size_limit(memory, [, context, confidential, , most, out = 0n]) {
      assert.deepEqual([context, confidential, most], [99n, 1n, 16380n]);
      memory.view(out).setUint32(0, 16320, true);
      return 0;
    },
    gss_wrap(memory, [, context, confidential, , input = 0n, state = 0n, output = 0n]) {
      assert.deepEqual([context, confidential], [99n, 1n]);
      giveBuffer(memory, output, bufferAt(memory, input).map((octet) => octet ^ 1));
      memory.view(state).setUint32(0, 1, true);
      return 0;
    },
    gss_unwrap(memory, [, context, input = 0n, output = 0n, state = 0n]) {
      assert.equal(context, 99n);
      giveBuffer(memory, output, bufferAt(memory, input).map((octet) => octet ^ 1));
      memory.view(state).setUint32(0, 1, true);
      return 0;
    },
    gss_display_status(memory, [, status, kind, , more = 0n, output = 0n]) {
      const text = kind === 1n ? `major ${status}` : `minor ${status}`;
      const part = memory.view(more).getUint32(0, true);
      giveBuffer(memory, output, new TextEncoder().encode(`${text} part ${part}\n\x1b[2J`));
      memory.view(more).setUint32(0, part === 0 && kind === 2n ? 1 : 0, true);
      return 0;
    },
    ...own,
  });
}

function open(made: FakeLibrary, request: GssContextRequest = REQUEST): Promise<GssContext> {
  return new SystemGssProvider("test", () => made.runtime, {}).createContext(request);
}

async function complete(made: FakeLibrary, request = REQUEST): Promise<GssContext> {
  const context = await open(made, request);
  await context.step(undefined);
  await context.step(Uint8Array.of(0x60, 2));
  return context;
}

test("GSSAPI: the call sequence, and everything is given back", async () => {
  const made = library();
  const context = await open(made);
  assert.deepEqual(await context.step(undefined), {
    token: Uint8Array.of(0x60, 1),
    complete: false,
    mutual: false,
    confidential: false,
    delegated: false,
  });
  assert.deepEqual(await context.step(Uint8Array.of(0x60, 2)), {
    token: new Uint8Array(0),
    complete: true,
    mutual: true,
    confidential: true,
    delegated: false,
  });
  assert.equal(made.threads, 0, "the thread is of no use any more");
  assert.equal(await context.wrapSizeLimit(16380), 16320);
  assert.equal(toHex(await context.wrap(Uint8Array.of(1, 2))), "0003");
  assert.equal(toHex(await context.unwrap(Uint8Array.of(0, 3))), "0102");
  context.dispose();
  context.dispose();
  assert.deepEqual(made.calls.filter(({ waits }) => waits).map(({ name }) => name), [
    "gss_import_name",
    "gss_init_sec_context",
    "gss_init_sec_context",
  ]);
  assert.deepEqual(made.names.slice(-2), ["gss_delete_sec_context", "gss_release_name"]);
  assert.equal(made.names.filter((name) => name === "gss_release_buffer").length, 4);
});

for (
  const [what, request, flags] of [
    ["authentication", { encrypt: false }, 2],
    ["authentication with delegation", { encrypt: false, delegate: true }, 3],
    ["encryption", {}, ENCRYPTION],
    ["encryption with delegation", { delegate: true }, ENCRYPTION | 1],
  ] as const
) {
  test(`GSSAPI: ${what} asks for flags ${flags}, as libpq`, async () => {
    const made = library();
    await complete(made, { ...REQUEST, ...request });
    const asked = made.calls.find(({ name }) => name === "gss_init_sec_context")?.args[5];
    assert.equal(asked, BigInt(flags));
  });
}

for (
  const [what, platform, pointerAt, path] of [
    ["Linux", LINUX, 8, /^libgssapi_krb5\.so\.2$/],
    ["Macs with ARM", { platform: "darwin", isX64: false }, 8, /homebrew/],
    ["Macs with Intel", { platform: "darwin", isX64: true }, 4, /homebrew/],
  ] as const
) {
  test(`GSSAPI: structures are laid out as on ${what}`, async () => {
    const made = library({}, platform, pointerAt);
    (await complete(made)).dispose();
    assert.match(made.loaded[0] ?? "", path);
  });
}

test("GSSAPI: a failure has Kerberos' own words, printable, from the thread that failed", async () => {
  const made = library({
    gss_init_sec_context(memory, [minor = 0n]) {
      memory.view(minor).setUint32(0, 42, true);
      return BAD_MIC;
    },
  });
  const context = await open(made);
  const error = await rejection(context.step(undefined)) as ConnectionError;
  assert.deepEqual([error.code, error.phase], ["gss-failed", "gss"]);
  assert.equal(
    error.message,
    `Cannot establish a GSSAPI context with "postgres@db.example": major ${BAD_MIC} part 0\\n\\x1b[2J: ` +
      "minor 42 part 0\\n\\x1b[2J: minor 42 part 1\\n\\x1b[2J",
  );
  const asked = made.calls.filter(({ name }) => name === "gss_display_status");
  assert.deepEqual(asked.map(({ waits }) => waits), [true, true, true]);
  context.dispose();
  assert.equal(made.threads, 0);
});

test("GSSAPI: where the major status says nothing, the minor one speaks alone", async () => {
  const made = library({
    gss_acquire_cred(memory, [minor = 0n]) {
      memory.view(minor).setUint32(0, 42, true);
      return FAILURE;
    },
  });
  const provider = new SystemGssProvider("test", () => made.runtime, {});
  const found = await provider.findCredentials({ library: undefined });
  assert.ok(!found.found);
  assert.match(found.why, /^minor 42/);
  assert.equal(made.threads, 0);
});

for (
  const [what, own] of [
    ["a forged packet", { gss_unwrap: () => BAD_MIC }],
    ["a packet twice", { gss_unwrap: () => OLD_TOKEN }],
    ["a packet that is signed only", {
      gss_unwrap: (memory: FakeMemory, [, , , output = 0n]: readonly bigint[]) => {
        giveBuffer(memory, output, Uint8Array.of(1));
        return 0;
      },
    }],
  ] as const
) {
  test(`GSSAPI: ${what} is refused`, async () => {
    const context = await complete(library(own));
    const error = await rejection(context.unwrap(Uint8Array.of(1))) as ConnectionError;
    assert.equal(error.code, "gss-failed");
  });
}

test("GSSAPI: a library that does not encrypt is not used to send", async () => {
  const context = await complete(library({
    gss_wrap(memory, args) {
      giveBuffer(memory, args[6] ?? 0n, Uint8Array.of(1));
      return 0;
    },
  }));
  assert.match(String(await rejection(context.wrap(Uint8Array.of(1)))), /without encryption/);
});

test("GSSAPI: what is disposed while it waits for a KDC is released when that is over", async () => {
  const made = library();
  const reached = deferred();
  const go = deferred();
  const { load } = made.runtime;
  const runtime: ForeignRuntime = {
    ...made.runtime,
    load(path, signatures) {
      const loaded = load(path, signatures);
      return {
        ...loaded,
        openThread() {
          const thread = loaded.openThread();
          return {
            release: thread.release,
            async call(name, args) {
              if (name === "gss_init_sec_context") {
                reached.resolve();
                await go.promise;
              }
              return await thread.call(name, args);
            },
          };
        },
      };
    },
  };
  const context = await new SystemGssProvider("test", () => runtime, {}).createContext(REQUEST);
  const step = context.step(undefined);
  await reached.promise;
  context.dispose();
  assert.ok(!made.names.includes("gss_release_name"), "the library still writes there");
  await rejection(context.step(undefined));
  go.resolve();
  await step;
  assert.deepEqual(made.names.slice(-2), ["gss_delete_sec_context", "gss_release_name"]);
  assert.equal(made.threads, 0);
  await rejection(context.wrap(Uint8Array.of(1)));
});

test("a missing library is tried under every usual name, and the error says what to install", async () => {
  const tried: string[] = [];
  const runtime: ForeignRuntime = {
    name: "test",
    ...LINUX,
    load(path) {
      tried.push(path);
      throw new Error(`${path}: cannot open shared object file`);
    },
  };
  const provider = new SystemGssProvider("test", () => runtime, {});
  const error = await rejection(provider.findCredentials({ library: undefined })) as ConfigError;
  assert.ok(error instanceof ConfigError);
  assert.equal(error.code, "unsupported-setting");
  assert.match(error.message, /libgssapi_krb5\.so\.2.*cannot open shared object.*libgssapi-krb5-2/);
  assert.deepEqual(tried, ["libgssapi_krb5.so.2", "libgssapi_krb5.so"]);
  tried.length = 0;
  const own = new SystemGssProvider("test", () => runtime, { library: "/opt/lib.so" });
  await rejection(own.createContext(REQUEST));
  assert.deepEqual(tried, ["/opt/lib.so"]);
});

test("a missing permission is no reason to try another name", async () => {
  const denied = new ConfigError("no", { code: "missing-permission" });
  const runtime: ForeignRuntime = {
    name: "test",
    ...LINUX,
    load() {
      throw denied;
    },
  };
  const provider = new SystemGssProvider("test", () => runtime, {});
  assert.equal(await rejection(provider.createContext(REQUEST)), denied);
});

test("GSSAPI: no print of a context shows a token", async () => {
  const context = await complete(library());
  assert.ok(!/96|0x60|6001|6002/.test(allPrints(context)), allPrints(context));
});

test("GSSAPI: a wrap and an unwrap that are under way at once do not mix", async () => {
  const context = await complete(library());
  const results = await Promise.all([
    context.wrap(Uint8Array.of(1, 2, 3)),
    context.unwrap(Uint8Array.of(9)),
    context.wrap(Uint8Array.of(4)),
    context.unwrap(Uint8Array.of(8, 8)),
  ]);
  assert.deepEqual(results.map(toHex), ["000302", "08", "05", "0909"]);
});
