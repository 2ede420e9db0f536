/**
 * A health check for a load balancer or a container: needs no credentials, and its exit code is pg_isready's.
 *
 *   deno run -A examples/health_check.ts "postgres://db.example?connect_timeout=2"; echo $?
 */
import process from "node:process";
// In your own program: from "pg-handshake".
import { ping } from "../mod.ts";

const EXIT_CODES = { "ok": 0, "reject": 1, "no-response": 2, "no-attempt": 3 } as const;

const status = await ping(process.argv[2]); // connect_timeout bounds each address
console.log(status);
process.exitCode = EXIT_CODES[status];
