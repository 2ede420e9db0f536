import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { mergeStartup, type TargetSays } from "../../src/bridge/merge.ts";
import { settingsInOptions } from "../../src/bridge/options_text.ts";
import { PG } from "../../src/bridge/pg_driver.ts";
import { POSTGRES } from "../../src/bridge/postgres_driver.ts";
import type { Driver } from "../../src/bridge/driver.ts";
import type { ConnectionParameters } from "../../src/settings/parameters.ts";

type Text = Readonly<Record<string, string>>;

/** One merge: what is sent, what the target says, and what comes of it: values, or the error's text. */
interface Case {
  readonly name: string;
  readonly driver?: Driver;
  readonly environment?: Text;
  readonly sent: Text;
  readonly target?: ConnectionParameters;
  readonly service?: ConnectionParameters;
  readonly runTime?: Text;
  readonly taken?: ConnectionParameters;
  readonly settings?: Text;
  readonly error?: RegExp;
}

const BOTH = { user: "app", dbname: "shop" };

const CASES: readonly Case[] = [
  {
    name: "the target names both, the driver sends its defaults",
    environment: { USER: "root" },
    sent: { user: "root", database: "root", client_encoding: "UTF8" },
    target: BOTH,
    taken: BOTH,
  },
  {
    name: "PGUSER and PGDATABASE are the driver's defaults as well",
    environment: { USER: "root", PGUSER: "svc", PGDATABASE: "data" },
    sent: { user: "svc", database: "data" },
    target: BOTH,
    taken: BOTH,
  },
  {
    name: "with PGUSER set, the account's name is somebody's wish",
    environment: { USER: "root", PGUSER: "svc" },
    sent: { user: "root", database: "root" },
    target: BOTH,
    error: /one user: .*"root", the target says "app"\. Say it in one place only$/,
  },
  {
    name: "with PGDATABASE set, the user's name as database is somebody's wish",
    environment: { PGDATABASE: "data" },
    sent: { user: "app", database: "app" },
    target: BOTH,
    error: /one dbname: .*"app", the target says "shop"/,
  },
  { name: "both say the same", sent: { user: "app", database: "shop" }, target: BOTH, taken: BOTH },
  {
    name: "the driver's user contradicts",
    sent: { user: "bob", database: "shop" },
    target: BOTH,
    error: /one user: the options of pg\.Pool or pg\.Client say "bob", the target says "app"/,
  },
  {
    name: "the driver's database contradicts",
    sent: { user: "app", database: "other" },
    target: BOTH,
    error: /one dbname/,
  },
  {
    name: "a service counts as the target",
    sent: { user: "bob" },
    target: { service: "s" },
    service: { user: "app" },
    error: /one user: .*"bob", the target says "app"/,
  },
  {
    name: "what is open is taken, a default database is not",
    environment: { USER: "root" },
    sent: { user: "root", database: "root" },
    target: { host: "h" },
    taken: { host: "h", user: "root" },
  },
  {
    name: "a default database is not taken for the user of the target",
    environment: { USER: "root" },
    sent: { user: "root", database: "root" },
    target: { user: "app" },
    taken: { user: "app" },
  },
  {
    name: "an empty user is none",
    sent: { user: "", database: "" },
    target: { host: "h" },
    taken: { host: "h" },
  },
  {
    name: "replication, options, application_name and settings are taken",
    sent: {
      user: "app",
      replication: "database",
      options: "-c work_mem=5MB",
      application_name: "x",
      statement_timeout: "7000",
    },
    target: BOTH,
    taken: {
      ...BOTH,
      replication: "database",
      options: "-c work_mem=5MB",
      application_name: "x",
    },
    settings: { statement_timeout: "7000" },
  },
  {
    name: "PGOPTIONS sent by the driver gives way",
    environment: { PGOPTIONS: "-c work_mem=5MB" },
    sent: { user: "app", options: "-c work_mem=5MB" },
    target: { ...BOTH, options: "-c work_mem=6MB" },
    taken: { ...BOTH, options: "-c work_mem=6MB" },
  },
  {
    name: "two texts for options contradict, and are not shown",
    sent: { user: "app", options: "-c app.key=hush" },
    target: { ...BOTH, options: "-c app.key=hushhush" },
    error: /^(?!.*hush).*one options: the options of pg\.Pool or pg\.Client say something else/,
  },
  {
    name: "a setting contradicts the bridge's parameters, whatever its case",
    sent: { user: "app", Statement_Timeout: "7000" },
    target: BOTH,
    runTime: { statement_timeout: "5000" },
    error:
      /one Statement_Timeout: .* say "7000", but it is "5000" by the bridge's option "parameters"/,
  },
  {
    name: "the same setting twice is one",
    sent: { user: "app", statement_timeout: "7000" },
    target: BOTH,
    runTime: { statement_timeout: "7000" },
    taken: BOTH,
    settings: { statement_timeout: "7000" },
  },
  {
    name: "a setting contradicts the target's options",
    sent: { user: "app", statement_timeout: "7000" },
    target: { ...BOTH, options: "-c statement_timeout=5000" },
    error: /"5000" in the target's "options"/,
  },
  {
    name: "the driver's options contradict the bridge's parameters, which stay secret",
    sent: { user: "app", options: "--app.key=hush" },
    target: BOTH,
    runTime: { "app.key": "secret" },
    error: /^(?!.*(hush|secret)).*one app\.key: .* set it otherwise/,
  },
  {
    name: "an encoding other than UTF8 is passed on, to be refused with a reason",
    sent: { user: "app", client_encoding: "LATIN1" },
    target: BOTH,
    taken: { ...BOTH, client_encoding: "LATIN1" },
  },
  {
    name: "UTF8 in any spelling is what is spoken anyway",
    sent: { user: "app", client_encoding: "utf-8" },
    target: { ...BOTH, client_encoding: "UTF8" },
    taken: { ...BOTH, client_encoding: "UTF8" },
  },
  {
    name: "a parameter of libpq is no run-time setting",
    sent: { user: "app", sslrootcert: "/ca.pem" },
    target: BOTH,
    error: /Cannot take "sslrootcert" from the options of .*Say it in the target of the bridge/,
  },
  {
    name: "extensions of the protocol are answered, not passed on",
    sent: { user: "app", "_pq_.x": "1" },
    target: BOTH,
    taken: BOTH,
  },
  {
    name: "the name postgres.js makes up is a fallback",
    driver: POSTGRES,
    sent: { user: "app", application_name: "postgres.js" },
    target: BOTH,
    taken: { ...BOTH, fallback_application_name: "postgres.js" },
  },
  {
    name: "the name postgres.js makes up gives way to names of the target",
    driver: POSTGRES,
    sent: { user: "app", application_name: "postgres.js" },
    target: { ...BOTH, fallback_application_name: "shop" },
    taken: { ...BOTH, fallback_application_name: "shop" },
  },
  {
    name: "a name of somebody's choice is no fallback",
    driver: POSTGRES,
    sent: { user: "app", application_name: "mine" },
    target: { ...BOTH, fallback_application_name: "shop" },
    taken: { ...BOTH, fallback_application_name: "shop", application_name: "mine" },
  },
  {
    name: "PGUSERNAME is a default of postgres.js",
    driver: POSTGRES,
    environment: { PGUSERNAME: "svc" },
    sent: { user: "svc", database: "svc" },
    target: BOTH,
    taken: BOTH,
  },
];

for (const one of CASES) {
  test(`mergeStartup(): ${one.name}`, () => {
    const { driver = PG, environment = {}, sent, target = {}, service = {}, runTime = {} } = one;
    const says: TargetSays = {
      explicit: target,
      withService: { ...service, ...target },
      runTime,
    };
    const merge = () =>
      mergeStartup(
        driver,
        Object.entries(sent),
        says,
        driver.defaults((name) => environment[name]),
      );
    if (one.error !== undefined) {
      assert.throws(merge, { name: "ConfigError", message: one.error });
      return;
    }
    assert.deepEqual(merge(), { target: one.taken, runTime: one.settings ?? runTime });
  });
}

test("settingsInOptions() takes a text apart as a server does", () => {
  for (
    const [text, settings] of [
      ["", []],
      ["-c a=1", [["a", "1"]]],
      ["-ca=1 --work-mem=5MB", [["a", "1"], ["work_mem", "5MB"]]],
      ["-c search_path=app,\\ public", [["search_path", "app, public"]]],
      ["-c a=b\\\\c  \t-c b==", [["a", "b\\c"], ["b", "="]]],
      ["-c", []],
      ["-c =x -c a --", []],
      ["-e -W 3 -c a=1", [["a", "1"]]],
    ] as const
  ) assert.deepEqual(settingsInOptions(text), settings, text);
});
