/** The smallest client that can run SQL, so that test servers are prepared without the code under test. */
import { Buffer } from "node:buffer";
import { connect } from "node:net";

const READY_FOR_QUERY = 0x5a;
const ERROR_RESPONSE = 0x45;
const AUTHENTICATION = 0x52;

/**
 * Runs SQL over a Unix socket as "postgres", who must be let in without a password.
 *
 * @throws {Error} With the server's message, if the SQL fails.
 */
export async function simpleQuery(socket: string, sql: string, database: string): Promise<void> {
  const stream = connect(socket);
  let held: Buffer = Buffer.alloc(0);
  let asked = false;
  try {
    await new Promise<void>((resolve, reject) => {
      let failure: Error | undefined;
      stream.on("error", reject);
      stream.on("close", () => reject(failure ?? new Error(`Cannot run "${sql}": cut off`)));
      stream.on("connect", () => stream.write(startup(database)));
      stream.on("data", (chunk: Uint8Array) => {
        held = Buffer.concat([held, chunk]);
        for (;;) {
          const length = held.length < 5 ? Infinity : held.readInt32BE(1) + 1;
          if (held.length < length) return;
          const type = held[0];
          const body = held.subarray(5, length);
          held = held.subarray(length);
          if (type === ERROR_RESPONSE) failure = new Error(`Cannot run "${sql}": ${fields(body)}`);
          if (type === AUTHENTICATION && body.readInt32BE(0) !== 0) {
            failure = new Error(`Cannot run "${sql}": asked for a password`);
            stream.destroy();
            return;
          }
          if (type !== READY_FOR_QUERY) continue;
          if (asked) return failure === undefined ? resolve() : reject(failure);
          asked = true;
          stream.write(frame(`Q`, `${sql}\0`));
        }
      });
    });
    stream.end(frame("X", ""));
  } finally {
    stream.destroy();
  }
}

function startup(database: string): Buffer {
  const text = Buffer.from(`user\0postgres\0database\0${database}\0client_encoding\0UTF8\0\0`);
  const head = Buffer.alloc(8);
  head.writeInt32BE(text.length + 8, 0);
  head.writeInt32BE(0x00030000, 4);
  return Buffer.concat([head, text]);
}

function frame(type: string, body: string): Buffer {
  const text = Buffer.from(body);
  const head = Buffer.alloc(5);
  head.write(type, 0, "latin1");
  head.writeInt32BE(text.length + 4, 1);
  return Buffer.concat([head, text]);
}

/** Severity, SQLSTATE and message of an ErrorResponse. */
function fields(body: Buffer): string {
  const parts = body.toString("utf8").split("\0").filter((part) => /^[SCM]/.test(part));
  return parts.map((part) => part.slice(1)).join(" ");
}
