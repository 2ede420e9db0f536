/** @ts-ignore Where the types of Node are not installed, this is `any`. */
import type { Duplex } from "node:stream";
import type { Transport } from "../transport/transport.ts";

/**
 * A transport as a Duplex of `node:stream`. Chunks are Buffers over the octets that were read, without a copy.
 *
 * The modules of Node are loaded here and not by the file: a bundle that is one file would load them for everybody.
 *
 * @param transport Nobody else uses it from now on.
 * @param leftover What is read first.
 */
export async function duplexOf(transport: Transport, leftover: Uint8Array): Promise<Duplex> {
  const [{ Buffer }, { Duplex }] = await Promise.all([
    import("node:buffer"),
    import("node:stream"),
  ]);
  const bufferOf = (octets: Uint8Array): Uint8Array =>
    Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength);
  let first = leftover;
  const duplex: Duplex = new Duplex({
    read() {
      const octets = first;
      first = NOTHING;
      if (octets.length > 0) duplex.push(bufferOf(octets));
      else {
        transport.read().then(
          (more) => duplex.push(more === undefined ? null : bufferOf(more)),
          (error) => duplex.destroy(error),
        );
      }
    },
    write(chunk: Uint8Array, _encoding, done) {
      transport.write(chunk).then(() => done(), done);
    },
    final(done) {
      transport.closeWrite().then(() => done(), done);
    },
    destroy(error, done) {
      transport.close();
      done(error);
    },
  });
  return duplex;
}

const NOTHING: Uint8Array = new Uint8Array(0);
