/**
 * Makes uncaught errors fail the test run on Deno, whose `node:test` swallows a throw in a timer or socket
 * callback. Every test file imports it first; `house_test.ts` checks that.
 */
import process from "node:process";

if ("Deno" in globalThis) {
  process.on("uncaughtException", (error: unknown) => {
    Promise.reject(error);
  });
}
