import { ON_WINDOWS } from "../transport/runtime.ts";
import type { Driver } from "./driver.ts";

/** node-postgres: what it reads from the environment (its connection-parameters.js and defaults.js, 8.23). */
export const PG: Driver = {
  name: "pg",
  optionsOf: "pg.Pool or pg.Client",
  ownApplicationName: undefined,

  defaults(environment) {
    return {
      user: environment("PGUSER") || environment(ON_WINDOWS ? "USERNAME" : "USER"),
      database: environment("PGDATABASE"),
      applicationName: environment("PGAPPNAME"),
      options: environment("PGOPTIONS"),
    };
  },

  tlsCulprits(environment) {
    const mode = environment("PGSSLMODE");
    return [
      ...(mode && mode !== "disable"
        ? [`the environment variable PGSSLMODE is "${mode}", unless ssl is given`]
        : []),
      ...(environment("PGSSLNEGOTIATION")
        ? ['the environment variable PGSSLNEGOTIATION must be unset, or "postgres"']
        : []),
      'options must hold "ssl: false"',
      "connectionString, which goes before ssl, must not hold ssl, sslmode, sslnegotiation, sslcert, sslkey or sslrootcert",
    ];
  },
};
