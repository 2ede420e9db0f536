import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ConnectionError } from "../../src/errors.ts";
import type { GssContextRequest } from "../../src/gss/provider.ts";
import { SystemGssProvider } from "../../src/gss/system_provider.ts";
import { rejection } from "../connect/rejection.ts";
import { FakeLibrary, type FakeMemory } from "./fake_library.ts";

/** What sspi.h calls them. */
const CONTINUE_NEEDED = 0x00090312;
const NO_CREDENTIALS = 0x8009030e;
const MUTUAL_AUTH = 2;
const DELEGATE = 1;

const WINDOWS = { platform: "windows", isX64: true } as const;
const REQUEST: GssContextRequest = {
  service: "postgres",
  host: "db.example",
  mechanism: "negotiate",
  delegate: false,
  encrypt: false,
  library: undefined,
};

/** The token a SecBufferDesc points to. */
function tokenAt(memory: FakeMemory, descriptor: bigint): Uint8Array | undefined {
  if (descriptor === 0n) return undefined;
  const view = memory.view(descriptor);
  assert.deepEqual([view.getUint32(0, true), view.getUint32(4, true)], [0, 1]);
  const buffer = memory.view(view.getBigUint64(8, true));
  assert.equal(buffer.getUint32(4, true), 2, "SECBUFFER_TOKEN");
  return memory.at(buffer.getBigUint64(8, true)).slice(0, buffer.getUint32(0, true));
}

function giveToken(memory: FakeMemory, descriptor: bigint, token: Uint8Array): void {
  const buffer = memory.view(memory.view(descriptor).getBigUint64(8, true));
  buffer.setUint32(0, token.length, true);
  buffer.setBigUint64(8, token.length === 0 ? 0n : memory.place(token), true);
}

function windows(attributes: number): FakeLibrary {
  let step = 0;
  return new FakeLibrary(WINDOWS, {
    AcquireCredentialsHandleW(memory, [principal, name = 0n, use]) {
      assert.deepEqual([principal, memory.utf16(name), use], [0n, "negotiate", 2n]);
      return 0;
    },
    InitializeSecurityContextW(memory, args) {
      const [, context, target = 0n, flags, , order, input = 0n, , , output = 0n, granted = 0n] =
        args;
      assert.equal(memory.utf16(target), "postgres/db.example");
      assert.deepEqual([flags, order], [BigInt(0x100 | MUTUAL_AUTH | attributes & DELEGATE), 0n]);
      const first = step++ === 0;
      assert.equal(context === 0n, first, "the context is given from the second call on");
      assert.deepEqual(tokenAt(memory, input), first ? undefined : Uint8Array.of(7, 8));
      giveToken(memory, output, first ? Uint8Array.of(1, 2, 3) : new Uint8Array(0));
      memory.view(granted).setUint32(0, attributes, true);
      return first ? CONTINUE_NEEDED : 0;
    },
  });
}

for (const delegate of [false, true]) {
  test(`SSPI: two calls, mutual, ${delegate ? "delegated" : "not delegated"}`, async () => {
    const library = windows(MUTUAL_AUTH | (delegate ? DELEGATE : 0));
    const provider = new SystemGssProvider("test", () => library.runtime, {});
    const context = await provider.createContext({ ...REQUEST, delegate });
    const first = await context.step(undefined);
    assert.deepEqual(first, {
      token: Uint8Array.of(1, 2, 3),
      complete: false,
      mutual: false,
      confidential: false,
      delegated: false,
    });
    const second = await context.step(Uint8Array.of(7, 8));
    assert.deepEqual(second, {
      token: new Uint8Array(0),
      complete: true,
      mutual: true,
      confidential: false,
      delegated: delegate,
    });
    context.dispose();
    context.dispose();
    assert.deepEqual(library.loaded, ["secur32.dll"]);
    assert.deepEqual(library.calls.map(({ name, waits }) => `${name} ${waits}`), [
      "AcquireCredentialsHandleW true",
      "InitializeSecurityContextW true",
      "FreeContextBuffer false",
      "InitializeSecurityContextW true",
      "DeleteSecurityContext false",
      "FreeCredentialsHandle false",
    ]);
    assert.equal(library.threads, 0);
  });
}

test("SSPI: a server that has not proved itself is told as that", async () => {
  const provider = new SystemGssProvider("test", () => windows(0).runtime, {});
  const context = await provider.createContext(REQUEST);
  await context.step(undefined);
  const { complete, mutual } = await context.step(Uint8Array.of(7, 8));
  assert.deepEqual({ complete, mutual }, { complete: true, mutual: false });
});

test("SSPI: a failure has Windows' name for it, and leaves nothing behind", async () => {
  const library = new FakeLibrary(WINDOWS, { AcquireCredentialsHandleW: () => NO_CREDENTIALS });
  const provider = new SystemGssProvider("test", () => library.runtime, {});
  const context = await provider.createContext(REQUEST);
  const error = await rejection(context.step(undefined)) as ConnectionError;
  assert.deepEqual([error.code, error.phase], ["gss-failed", "authenticate"]);
  assert.match(error.message, /postgres\/db\.example.*SEC_E_NO_CREDENTIALS.*0x8009030e/);
  context.dispose();
  assert.deepEqual([library.names, library.threads], [["AcquireCredentialsHandleW"], 0]);
});

test("SSPI does not encrypt, and says so where it is asked for credentials", async () => {
  const library = windows(MUTUAL_AUTH);
  const provider = new SystemGssProvider("test", () => library.runtime, {});
  const found = await provider.findCredentials({ library: undefined });
  assert.ok(!found.found && /gsslib=gssapi/.test(found.why));
  const context = await provider.createContext(REQUEST);
  for (
    const call of [
      context.wrapSizeLimit(100),
      context.wrap(new Uint8Array(1)),
      context.unwrap(new Uint8Array(1)),
    ]
  ) {
    assert.match(String(await rejection(call)), /authenticate only/);
  }
});

test("gsslib=gssapi means MIT Kerberos on Windows, and nothing elsewhere", async () => {
  const library = new FakeLibrary(WINDOWS, {});
  const provider = new SystemGssProvider("test", () => library.runtime, {});
  assert.deepEqual(await provider.findCredentials({ library: "gssapi" }), { found: true });
  assert.deepEqual(library.loaded, ["gssapi64.dll"]);
  const linux = new FakeLibrary({ platform: "linux", isX64: true }, {});
  const other = new SystemGssProvider("test", () => linux.runtime, {});
  assert.deepEqual(await other.findCredentials({ library: "sspi" }), { found: true });
  assert.deepEqual(linux.loaded, ["libgssapi_krb5.so.2"]);
});
