/** Run by `unref_test.ts`: opens a session, says so, and has nothing more to do. */
import process from "node:process";
import { connect } from "../../mod.ts";

const [target, what] = process.argv.slice(2);
const session = await connect(target);
await session.listen("nothing");
if (what !== "ref") session.unref();
if (what === "ref again") session.ref();
process.stdout.write("open\n");
