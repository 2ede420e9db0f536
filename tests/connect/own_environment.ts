/**
 * Keeps libpq's environment variables of whoever runs the tests out of them: what a target does not say must be the
 * default everywhere. Imported for its effect.
 */
import process from "node:process";

for (const name of Object.keys(process.env)) {
  if (/^PG[A-Z]+$/.test(name)) delete process.env[name];
}
