import "../support/guard.ts";
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import type { BearerTokenContext } from "../../src/connect/options.ts";
import { ConfigError, PolicyError } from "../../src/errors.ts";
import { fetchClient } from "../../src/oauth/http.ts";
import { deviceFlow } from "../../src/oauth/mod.ts";
import { deferred } from "../connect/deferred.ts";
import { reasonOf } from "../connect/rejection.ts";
import { certificatePath, certificateText } from "../support/certificates.ts";
import {
  type AuthorizationServer,
  type Behaviour,
  contextOf,
  ISSUED,
  PENDING,
  startAuthorizationServer,
  TOKEN,
} from "./authorization_server.ts";

const CA = certificatePath("ca.crt");

async function withServer(
  behaviour: Behaviour,
  use: (server: AuthorizationServer, context: BearerTokenContext) => Promise<void>,
): Promise<void> {
  const server = await startAuthorizationServer("https", behaviour);
  try {
    await use(server, contextOf(server));
  } finally {
    await server.close();
  }
}

for (const [name, caFile] of [["a path", CA], ["PEM", certificateText("ca.crt")]] as const) {
  test(`deviceFlow() trusts the issuer by caFile as ${name}`, async () => {
    const codes: string[] = [];
    const onPrompt = ({ userCode }: { userCode: string }): void => void codes.push(userCode);
    await withServer({ tokens: [PENDING, ISSUED] }, async (_server, context) => {
      assert.equal(await deviceFlow({ onPrompt, caFile })(context), TOKEN);
    });
    assert.deepEqual(codes, ["ABCD-1234"]);
  });
}

test("deviceFlow() does not trust an issuer the runtime does not trust", async () => {
  await withServer({}, async ({ received }, context) => {
    const other = certificatePath("other-ca.crt");
    for (const options of [{}, { caFile: other }]) {
      const flow = deviceFlow({ onPrompt: () => assert.fail("prompted"), ...options });
      const error = await reasonOf(flow(context));
      assert.ok(error instanceof PolicyError);
      assert.match(error.message, /Cannot reach the issuer of tokens at .* \(caFile\)/);
    }
    assert.equal(received.length, 0);
  });
});

test("deviceFlow() finds a token by the scope that was set, whatever the server names", async () => {
  await withServer({}, async (_server, context) => {
    const flow = deviceFlow({ onPrompt: () => {}, caFile: CA });
    assert.equal(await flow({ ...context, scope: "what the server wants" }), TOKEN);
    assert.equal(await flow({ ...context, discovered: false }), TOKEN);
  });
});

test("deviceFlow() verifies an issuer by caFile although the environment turns verification off", async () => {
  const before = process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
  process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
  try {
    await withServer({}, async ({ received }, context) => {
      const caFile = certificatePath("other-ca.crt");
      const flow = deviceFlow({ onPrompt: () => assert.fail("prompted"), caFile });
      assert.ok(await reasonOf(flow(context)) instanceof PolicyError);
      assert.equal(received.length, 0);
    });
  } finally {
    if (before === undefined) delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
    else process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = before;
  }
});

test("fetchClient() gives up an answer that is too long", async () => {
  const given = deferred();
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
    cancel: () => given.resolve(),
  });
  const real = globalThis.fetch;
  globalThis.fetch = () => Promise.resolve(new Response(body));
  try {
    const url = `https://issuer.test/${"x".repeat(10_000)}`;
    const { signal } = new AbortController();
    const error = await reasonOf(fetchClient({ method: "GET", url, headers: {}, signal }));
    assert.ok(error instanceof PolicyError);
    await given.promise;
    globalThis.fetch = () => Promise.reject(new TypeError("no network"));
    const other = await reasonOf(fetchClient({ method: "GET", url, headers: {}, signal }));
    assert.ok(other instanceof PolicyError && other.message.length < 1_000, "too long");
  } finally {
    globalThis.fetch = real;
  }
});

test("deviceFlow() says what is wrong with a caFile", async () => {
  await withServer({}, async (_server, context) => {
    for (const caFile of ["/nowhere/ca.crt", certificatePath("ca.key")]) {
      const error = await reasonOf(deviceFlow({ onPrompt: () => {}, caFile })(context));
      assert.ok(error instanceof ConfigError);
      assert.ok(error.message.includes(caFile), error.message);
    }
  });
});

test("deviceFlow() lets the server be asked first, and gives a token again while it is good", async () => {
  await withServer({}, async ({ received }, context) => {
    const flow = deviceFlow({ onPrompt: () => assert.fail("prompted"), caFile: CA });
    const first = { ...context, discovered: false };
    assert.equal(await flow(first), undefined);
    assert.equal(received.length, 0);
    assert.equal(await flow(context), TOKEN);
    assert.equal(received.length, 3);
    assert.equal(await flow(first), TOKEN);
    assert.equal(await flow({ ...first, user: "other" }), undefined);
    assert.equal(await flow({ ...first, host: "other" }), undefined);
    assert.equal(await flow({ ...first, scope: "admin", requestedScope: "admin" }), undefined);
    assert.equal(received.length, 3);
    flow.forget();
    assert.equal(await flow(first), undefined);
  });
});

test("deviceFlow() keeps no token that ends soon, or whose end is not known", async () => {
  const { body } = ISSUED;
  for (const expires_in of [undefined, 29, null, -1, "soon", 1e300]) {
    const issued = { body: { ...(body as Readonly<Record<string, unknown>>), expires_in } };
    await withServer({ tokens: [issued] }, async (_server, context) => {
      const flow = deviceFlow({ onPrompt: () => {}, caFile: CA });
      assert.equal(await flow(context), TOKEN);
      assert.equal(await flow({ ...context, discovered: false }), undefined);
    });
  }
});

test("deviceFlow() stops when its signal fires", async () => {
  const controller = new AbortController();
  await withServer({ tokens: [PENDING] }, async ({ received }, context) => {
    const flow = deviceFlow({ onPrompt: () => controller.abort(), caFile: CA });
    await reasonOf(flow({ ...context, signal: controller.signal }));
    assert.equal(received.length, 3);
  });
});
