/** What every transport does with octets, whatever it is made of. */
import assert from "node:assert/strict";
import { UsageError } from "../../src/errors.ts";
import type { Transport } from "../../src/transport/transport.ts";
import { pattern, readExactly } from "./octets.ts";
import { type Case, type Lab, type Peer, watch } from "./lab.ts";

/** A connection: our end and the far one. */
export type Open = (lab: Lab) => Promise<{ near: Transport; far: Peer }>;

const MANY = 16 * 1024 * 1024;

/** Cases about octets, ends and `close()`. */
export function streamCases(open: Open): readonly Case[] {
  return [
    {
      title: "a feed carries octets both ways, and waits for either side",
      async run(lab) {
        const { near, far } = await open(lab);
        // A transport may do without.
        if (near.feed === undefined) return;
        let seen = 0;
        let more = false;
        let grown: () => void = () => {};
        let ended: (error: Error | undefined) => void = () => {};
        const end = new Promise<Error | undefined>((done) => ended = done);
        const feed = near.feed({
          data(octets) {
            assert.equal(octets.constructor, Uint8Array);
            seen += octets.length;
            grown();
            return more;
          },
          end: ended,
        });
        await assert.rejects(near.read(), UsageError);
        assert.throws(() => near.feed?.({ data: () => true, end: () => {} }), UsageError);
        const arrived = new Promise<void>((done) => grown = done);
        const writing = far.write(pattern(MANY));
        writing.catch(() => {});
        await arrived;
        await lab.settle();
        const held = seen;
        await lab.settle();
        assert.equal(seen, held, "nothing comes before resume()");
        more = true;
        const all = new Promise<void>((done) => {
          grown = () => {
            if (seen === MANY) done();
          };
        });
        feed.resume();
        await all;
        await writing;
        const taken = new Promise<Error | undefined>((done) => feed.write(pattern(MANY), done));
        const state = watch(taken);
        await lab.settle();
        assert.equal(state.settled, false);
        assert.deepEqual(await far.read(MANY), pattern(MANY));
        assert.equal(await taken, undefined);
        near.close();
        assert.equal(
          (await new Promise<Error | undefined>((done) => feed.write(pattern(1), done)))?.name,
          "ConnectionError",
        );
        assert.equal(watch(end).settled, false);
      },
    },
    {
      title: "a feed tells of the peer's end once",
      async run(lab) {
        const { near, far } = await open(lab);
        if (near.feed === undefined) return;
        const heard: (Error | undefined)[] = [];
        const over = new Promise<void>((done) => {
          near.feed?.({
            data: () => true,
            end(error) {
              heard.push(error);
              done();
            },
          });
        });
        await far.end();
        await over;
        near.close();
        await lab.settle();
        assert.deepEqual(heard, [undefined]);
      },
    },
    {
      title: "a feed is told nothing by close(), and at once of what was closed before it",
      async run(lab) {
        const { near } = await open(lab);
        if (near.feed === undefined) return;
        let told = 0;
        near.feed({ data: () => true, end: () => told++ });
        await lab.settle();
        near.close();
        await lab.settle();
        assert.equal(told, 0);
        const { near: closed } = await open(lab);
        closed.close();
        const error = await new Promise<Error | undefined>((end) => {
          closed.feed?.({ data: () => true, end });
        });
        assert.equal((error as { code?: string } | undefined)?.code, "aborted");
      },
    },
    {
      title: "octets go both ways",
      async run(lab) {
        const { near, far } = await open(lab);
        await near.write(Uint8Array.of(1, 2, 3));
        assert.deepEqual(await far.read(3), Uint8Array.of(1, 2, 3));
        await far.write(Uint8Array.of(4, 5));
        assert.deepEqual(await readExactly(near, 2), Uint8Array.of(4, 5));
      },
    },
    {
      title: "read() hands out plain arrays that belong to the caller",
      async run(lab) {
        const { near, far } = await open(lab);
        await far.write(Uint8Array.of(1));
        const first = await near.read();
        assert.equal(first?.constructor, Uint8Array);
        await far.write(Uint8Array.of(2));
        await near.read();
        assert.deepEqual(first, Uint8Array.of(1));
      },
    },
    {
      title: "written octets may be reused once write() has settled",
      async run(lab) {
        const { near, far } = await open(lab);
        const octets = pattern(100_000);
        await near.write(octets);
        octets.fill(0);
        assert.deepEqual(await far.read(100_000), pattern(100_000));
      },
    },
    {
      title: "write() waits while the peer does not read",
      async run(lab) {
        const { near, far } = await open(lab);
        const writing = near.write(pattern(MANY));
        const state = watch(writing);
        await lab.settle();
        assert.equal(state.settled, false);
        assert.deepEqual(await far.read(MANY), pattern(MANY));
        await writing;
      },
    },
    {
      title: "the peer has to wait while nobody reads, and nothing is lost",
      async run(lab) {
        const { near, far } = await open(lab);
        const octets = pattern(MANY);
        const writing = (async () => {
          // In parts, as a pair of doubles waits between writes, not within one.
          for (let at = 0; at < MANY; at += 65_536) {
            await far.write(octets.subarray(at, at + 65_536));
          }
        })();
        const state = watch(writing);
        await lab.settle();
        assert.equal(state.settled, false);
        assert.deepEqual(await readExactly(near, MANY), pattern(MANY));
        await writing;
      },
    },
    {
      title: "closeWrite() ends our side only",
      async run(lab) {
        const { near, far } = await open(lab);
        await near.write(Uint8Array.of(1));
        await near.closeWrite();
        assert.deepEqual(await far.read(1), Uint8Array.of(1));
        await far.readEnd();
        await far.write(Uint8Array.of(2));
        assert.deepEqual(await readExactly(near, 1), Uint8Array.of(2));
        far.end();
        assert.equal(await near.read(), undefined);
      },
    },
    {
      title: "write() after closeWrite() is the caller's error, a second closeWrite() is none",
      async run(lab) {
        const { near } = await open(lab);
        await near.closeWrite();
        await near.closeWrite();
        await assert.rejects(near.write(Uint8Array.of(1)), UsageError);
      },
    },
    {
      title: "the end of the peer's side is undefined, again and again, and writing goes on",
      async run(lab) {
        const { near, far } = await open(lab);
        await far.write(Uint8Array.of(1));
        far.end();
        assert.deepEqual(await readExactly(near, 1), Uint8Array.of(1));
        assert.equal(await near.read(), undefined);
        assert.equal(await near.read(), undefined);
        await near.write(Uint8Array.of(2));
        assert.deepEqual(await far.read(1), Uint8Array.of(2));
      },
    },
    {
      title: "a second read() beside a pending one is the caller's error",
      async run(lab) {
        const { near, far } = await open(lab);
        const first = near.read();
        await assert.rejects(near.read(), UsageError);
        await far.write(Uint8Array.of(7));
        assert.deepEqual(await first, Uint8Array.of(7));
      },
    },
    {
      title: "close() rejects a pending read, and the peer reads the end",
      async run(lab) {
        const { near, far } = await open(lab);
        const reading = near.read();
        near.close();
        await assert.rejects(reading, { name: "ConnectionError", code: "aborted" });
        await far.readEnd();
      },
    },
    {
      title: "close() rejects a pending write, and releases the socket",
      async run(lab) {
        const { near, far } = await open(lab);
        const writing = near.write(pattern(MANY));
        watch(writing);
        await lab.settle();
        near.close();
        await assert.rejects(writing, { name: "ConnectionError", code: "aborted" });
        await far.readEnd();
      },
    },
    {
      title: "close() lets the peer read what was written before",
      async run(lab) {
        const { near, far } = await open(lab);
        await near.write(pattern(1000));
        near.close();
        assert.deepEqual(await far.read(1000), pattern(1000));
        await far.readEnd();
      },
    },
    {
      title: "after close() every call rejects, and close() may be called again",
      async run(lab) {
        const { near, far } = await open(lab);
        await far.write(Uint8Array.of(1));
        await lab.settle();
        near.close();
        near.close();
        const aborted = { name: "ConnectionError", code: "aborted" };
        await assert.rejects(near.read(), aborted);
        await assert.rejects(near.write(Uint8Array.of(1)), aborted);
        await assert.rejects(near.closeWrite(), aborted);
      },
    },
  ];
}
