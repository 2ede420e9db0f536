/**
 * The password comes from a callback, asked only when the server wants one: the place for a token that expires, a
 * secret store, a prompt. Here it is read from a file, which may change between two connects.
 *
 *   deno run -A examples/password_callback.ts "postgres://app@db.example/app?sslmode=require" password.txt
 */
import { readFile } from "node:fs/promises";
import process from "node:process";
// In your own program: from "pg-handshake".
import { connect, type PasswordContext } from "../mod.ts";

const [target, file] = process.argv.slice(2);
if (target === undefined || file === undefined) {
  throw new Error("Give a target and the name of a file that holds the password");
}

await using session = await connect(target, {
  async password({ user, database, host, method, signal }: PasswordContext) {
    console.log(`the server at ${host} wants ${user}'s password for ${database} (${method})`);
    const text = await readFile(file, { encoding: "utf8", signal });
    return text.trimEnd();
  },
});
console.log(`connected, method ${session.authentication.method}`);
