#!/usr/bin/env -S deno run --allow-net --allow-env
/**
 * A script for Deno that prints the biggest tables of a database, row by row, with no more permissions than it needs.
 *
 *   deno run --allow-net=db.example:5432 examples/deno_script.ts \
 *     "postgres://app:secret@db.example/app?sslmode=verify-full&sslrootcert=system"
 */
// In your own program: from "jsr:" plus "@pg-handshake/pg-handshake", or "npm:pg-handshake".
import { connect } from "../mod.ts";

await using session = await connect(Deno.args[0], { signal: AbortSignal.timeout(5_000) });

const biggest = session.stream(
  `select relname, pg_size_pretty(pg_total_relation_size(oid))
     from pg_class where relkind = 'r' order by pg_total_relation_size(oid) desc limit 5`,
);
for await (const { values: [name, size] } of biggest) console.log(`${name}: ${size}`);
