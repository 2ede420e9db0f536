import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError } from "../../src/errors.ts";
import { type GatheredParameters, gatherParameters } from "../../src/settings/gather.ts";
import type { HostRequest } from "../../src/settings/host_request.ts";
import { originText } from "../../src/settings/origin.ts";
import type { ConnectionParameters } from "../../src/settings/parameters.ts";
import { resolveSettings } from "../../src/settings/resolve.ts";
import { readVectors, type VectorCase } from "../support/vectors.ts";

interface Machine {
  readonly environment?: Readonly<Record<string, string>>;
  /** By path. */
  readonly files?: Readonly<Record<string, string>>;
  readonly platform?: "windows" | "posix";
}

interface GatherCase extends VectorCase, Machine {
  readonly explicit: ConnectionParameters;
  readonly parameters?: Readonly<Record<string, string>>;
  /** By keyword, as messages say it. */
  readonly origins?: Readonly<Record<string, string>>;
  readonly environmentSettings?: readonly (readonly [string, string])[];
  readonly error?: string;
}

/** Gathers on a machine that has only what it is given; `asked` receives every request. */
function gather(
  explicit: ConnectionParameters,
  machine: Machine = {},
  asked: HostRequest[] = [],
  environment?: Parameters<typeof gatherParameters>[1],
): GatheredParameters {
  const gathering = gatherParameters(explicit, environment);
  let step = gathering.next();
  while (!step.done) {
    asked.push(step.value);
    step = gathering.next(answer(step.value, machine));
  }
  return step.value;
}

function answer(request: HostRequest, machine: Machine): string | undefined {
  const { environment = {}, files = {}, platform = "posix" } = machine;
  switch (request.want) {
    case "platform":
      return platform;
    case "environment":
      return environment[request.name];
    case "home-directory":
      return environment[platform === "windows" ? "APPDATA" : "HOME"];
    case "user-name":
      return "account";
    case "socket-directory":
      return platform === "windows" ? undefined : "/run/sockets";
    case "file":
      return files[request.path];
  }
}

for (const one of readVectors<GatherCase>("environment")) {
  test(`gatherParameters() knows the rule "${one.name}"`, () => {
    if (one.error !== undefined) {
      const { error: expected } = one;
      assert.throws(() => gather(one.explicit, one), (error) => {
        assert.ok(error instanceof ConfigError);
        assert.equal(error.keyword, "service");
        assert.ok(error.message.includes(expected), error.message);
        return true;
      });
      return;
    }
    const { parameters, context } = gather(one.explicit, one);
    assert.deepEqual(parameters, one.parameters);
    assert.deepEqual(Object.keys(context.origins).sort(), Object.keys(parameters).sort());
    assert.deepEqual(context.environmentSettings, one.environmentSettings ?? []);
    const origins = context.origins as Readonly<Record<string, Parameters<typeof originText>[0]>>;
    for (const [keyword, text] of Object.entries(one.origins ?? {})) {
      const origin = origins[keyword];
      assert.ok(origin !== undefined, keyword);
      assert.equal(originText(origin), text);
    }
  });
}

for (const one of readVectors<GatherCase>("environment")) {
  test(`gatherParameters() gives the same with a reader: "${one.name}"`, () => {
    const read: string[] = [];
    const reader = (name: string, needed: boolean): string | undefined => {
      read.push(`${name} ${needed}`);
      return one.environment?.[name];
    };
    const rest: HostRequest[] = [];
    const byReader = outcomeOf(() => gather(one.explicit, one, rest, reader));
    assert.ok(rest.every(({ want }) => want !== "environment"));
    const all: HostRequest[] = [];
    assert.deepEqual(byReader, outcomeOf(() => gather(one.explicit, one, all)));
    const variables = all.flatMap((request) =>
      request.want === "environment" ? [`${request.name} ${request.needed}`] : []
    );
    assert.deepEqual(read, variables);
    assert.deepEqual(rest, all.filter(({ want }) => want !== "environment"));
  });
}

/** What comes out, an error by its message. */
function outcomeOf(gathers: () => GatheredParameters): GatheredParameters | string {
  try {
    return gathers();
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
}

test("gatherParameters() asks the environment only for what is unset", () => {
  const asked: HostRequest[] = [];
  gather({ host: "h", user: "u", sslmode: "require", dbname: "" }, {}, asked);
  const names = asked.flatMap((request) => request.want === "environment" ? [request.name] : []);
  assert.ok(names.includes("PGPORT") && names.includes("PGTZ"));
  for (const name of ["PGHOST", "PGUSER", "PGSSLMODE", "PGREQUIRESSL", "PGDATABASE"]) {
    assert.ok(!names.includes(name), name);
  }
  assert.equal(new Set(names).size, names.length, "each is asked once");
});

test("gatherParameters() asks for nothing but defaults if no service is named", () => {
  const asked: HostRequest[] = [];
  gather({ host: "h", user: "u" }, {}, asked);
  for (const request of asked) {
    assert.equal(request.want, "environment");
    assert.ok(request.want === "environment" && !request.needed, request.want);
  }
});

test("gatherParameters() needs what a named service needs", () => {
  const asked: HostRequest[] = [];
  const files = { "/home/me/.pg_service.conf": "[a]\n" };
  gather(
    { service: "a", host: "h", user: "u" },
    { environment: { HOME: "/home/me" }, files },
    asked,
  );
  assert.deepEqual(
    asked.slice(0, 4),
    [
      { want: "environment", name: "PGSERVICEFILE", needed: true },
      { want: "home-directory", needed: true },
      { want: "platform" },
      {
        want: "file",
        path: "/home/me/.pg_service.conf",
        keyword: "service",
        needed: true,
      },
    ],
  );
});

test("gatherParameters() does not need the places of other builds", () => {
  const asked: HostRequest[] = [];
  assert.throws(() => gather({ service: "a" }, {}, asked), ConfigError);
  const files = asked.filter((request) => request.want === "file");
  assert.ok(files.length > 1);
  for (const request of files) assert.ok(request.want === "file" && !request.needed);
});

const ACCOUNT: readonly (readonly [ConnectionParameters, string | undefined])[] = [
  [{}, "account"],
  [{ user: "" }, "account"],
  [{ user: "u" }, undefined],
];

for (const [explicit, expected] of ACCOUNT) {
  test(`the account of ${JSON.stringify(explicit)} is ${expected ?? "not asked for"}`, () => {
    assert.equal(gather(explicit).context.user, expected);
  });
}

const SOCKETS: readonly (readonly [ConnectionParameters, string | undefined])[] = [
  [{}, "/run/sockets"],
  [{ host: "" }, "/run/sockets"],
  [{ host: "a," }, "/run/sockets"],
  [{ host: "a" }, undefined],
  [{ host: "a,b" }, undefined],
  [{ host: "/tmp" }, undefined],
  [{ hostaddr: "::1" }, undefined],
  [{ hostaddr: "::1,::2" }, undefined],
  [{ hostaddr: "::1," }, "/run/sockets"],
  [{ host: "a,", hostaddr: "::1,::2" }, undefined],
  [{ host: ",b", hostaddr: ",::2" }, "/run/sockets"],
];

for (const [explicit, expected] of SOCKETS) {
  const what = expected === undefined ? "does not need" : "needs";
  test(`${JSON.stringify(explicit)} ${what} the socket directory`, () => {
    assert.equal(gather(explicit).context.host, expected);
  });
}

test("without sockets the default host is localhost", () => {
  const { parameters, context } = gather({}, { platform: "windows" });
  assert.equal(resolveSettings(parameters, context).hosts[0]?.host, "localhost");
});

test("gatherParameters() changes nothing of what it is given", () => {
  const explicit = Object.freeze({ service: "a", host: "h" });
  const environment = { HOME: "/home/me", PGPORT: "1" };
  const files = { "/home/me/.pg_service.conf": "[a]\nhost=x\nuser=u\n" };
  assert.equal(gather(explicit, { environment, files }).parameters.user, "u");
  assert.deepEqual(explicit, { service: "a", host: "h" });
});

interface MessageCase {
  readonly environment?: Readonly<Record<string, string>>;
  readonly service?: string;
  readonly explicit?: ConnectionParameters;
  readonly message: string;
}

const MESSAGES: readonly MessageCase[] = [
  {
    environment: { PGSSLMODE: "x" },
    message: 'Cannot use sslmode "x": it must be "disable", "allow", "prefer", "require", ' +
      '"verify-ca" or "verify-full" (sslmode from the environment variable PGSSLMODE)',
  },
  {
    service: "port=70000",
    message: 'Cannot use port "70000": it must be 1 to 65535 ' +
      '(port from line 2 of the service file "/f")',
  },
  {
    explicit: { port: "70000" },
    message: 'Cannot use port "70000": it must be 1 to 65535',
  },
  {
    environment: { PGSSLNEGOTIATION: "direct" },
    service: "sslmode=prefer",
    message: 'Cannot use sslnegotiation "direct" with sslmode "prefer": it must be "require", ' +
      '"verify-ca" or "verify-full" (sslmode from line 2 of the service file "/f", ' +
      "sslnegotiation from the environment variable PGSSLNEGOTIATION)",
  },
  {
    environment: { PGREQUIRESSL: "1" },
    explicit: { sslrootcert: "system" },
    message: 'Cannot use sslrootcert "system" with sslmode "require": it must be "verify-full". ' +
      "Anybody can get a certificate that the system trusts " +
      "(sslmode from the environment variable PGREQUIRESSL)",
  },
  {
    environment: { PGCHANNELBINDING: "require", PGREQUIREAUTH: "md5" },
    message: 'Cannot use channel_binding "require" with require_auth "md5": only scram-sha-256 ' +
      "can be bound to the channel (channel_binding from the environment variable " +
      "PGCHANNELBINDING, require_auth from the environment variable PGREQUIREAUTH)",
  },
  {
    environment: { PGPASSWORD: "Xy7Zq\ud800" },
    message: "Cannot use password: it contains half a surrogate pair " +
      "(password from the environment variable PGPASSWORD)",
  },
];

for (const { environment = {}, service, explicit = {}, message } of MESSAGES) {
  test(`an error says where the value came from: ${message.slice(0, 60)} …`, () => {
    const { parameters, context } = service === undefined
      ? gather(explicit, { environment })
      : gather({ ...explicit, service: "a" }, {
        environment: { ...environment, PGSERVICEFILE: "/f" },
        files: { "/f": `[a]\n${service}\n` },
      });
    assert.throws(() => resolveSettings(parameters, context), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.equal(error.message, message);
      assert.equal(error.phase, "settings");
      assert.equal(error.code, "invalid-setting");
      assert.ok(!`${error.stack}${JSON.stringify(error)}`.includes("Xy7Zq"));
      return true;
    });
  });
}
