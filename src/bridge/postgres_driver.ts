import { userInfo } from "node:os";
import type { Driver } from "./driver.ts";

/** postgres.js: what it reads from the environment (parseOptions() of its index.js, 3.4). */
export const POSTGRES: Driver = {
  name: "postgres.js",
  optionsOf: "postgres()",
  ownApplicationName: "postgres.js",

  defaults(environment) {
    return {
      user: environment("PGUSERNAME") || environment("PGUSER") || accountName(environment),
      database: environment("PGDATABASE"),
      applicationName: environment("PGAPPNAME") || "postgres.js",
      options: undefined,
    };
  },

  tlsCulprits(environment) {
    return [
      ...(environment("PGSSL")
        ? ["the environment variable PGSSL switches it on, unless ssl is given"]
        : []),
      ...(environment("PGSSLNEGOTIATION")
        ? ["the environment variable PGSSLNEGOTIATION must be unset"]
        : []),
      'options must hold "ssl: false"',
      "where ssl is not given, the URL must not hold ssl, sslmode, sslnegotiation or sslrootcert",
    ];
  },
};

function accountName(environment: (name: string) => string | undefined): string | undefined {
  try {
    return userInfo().username;
  } catch {
    // As the driver does where there is no such account, or it may not be looked up.
    return environment("USERNAME") || environment("USER") || environment("LOGNAME");
  }
}
