/** What the adapters of this package do beside the port: octets are lent to a sink for a while. */
import assert from "node:assert/strict";
import { UsageError } from "../../src/errors.ts";
import { lenderOf } from "../../src/transport/lender.ts";
import type { Sink } from "../../src/transport/transport.ts";
import { readExactly } from "./octets.ts";
import type { Case } from "./lab.ts";
import type { Open } from "./stream_cases.ts";

/** Cases about lending; a transport may do without. */
export function lendCases(open: Open): readonly Case[] {
  return [
    {
      title: "octets are lent to a sink until they are taken back, and none is lost",
      async run(lab) {
        const { near, far } = await open(lab);
        const lender = lenderOf(near);
        if (lender === undefined) return;
        const { sink, seen, heard } = recorded();
        lender.lend(sink);
        await assert.rejects(near.read(), UsageError);
        assert.throws(() => lender.lend(sink), UsageError);
        await far.write(Uint8Array.of(1, 2));
        await lab.settle();
        assert.deepEqual(seen, [], "nothing comes before it is wanted");
        lender.resumeLent();
        await heard(2);
        lender.takeBack();
        await far.write(Uint8Array.of(3, 4));
        assert.deepEqual(await readExactly(near, 2), Uint8Array.of(3, 4));
        await far.write(Uint8Array.of(5));
        assert.deepEqual(await near.read(), Uint8Array.of(5));
        await near.write(Uint8Array.of(6));
        assert.deepEqual(await far.read(1), Uint8Array.of(6));
        await far.end();
        assert.equal(await near.read(), undefined);
        assert.deepEqual(seen, [1, 2]);
      },
    },
    {
      title: "what comes late for a sink is for a feed as well",
      async run(lab) {
        const { near, far } = await open(lab);
        const lender = lenderOf(near);
        if (lender === undefined) return;
        lender.lend(recorded().sink);
        lender.resumeLent();
        lender.takeBack();
        const { sink, seen, heard } = recorded();
        near.feed?.({ ...sink, end: () => {} });
        await far.write(Uint8Array.of(1));
        await heard(1);
        await far.write(Uint8Array.of(2));
        await heard(2);
        assert.deepEqual(seen, [1, 2]);
      },
    },
    {
      title: "what came after octets were taken back is the first a feed gives",
      async run(lab) {
        const { near, far } = await open(lab);
        const lender = lenderOf(near);
        if (lender === undefined || near.feed === undefined) return;
        lender.lend(recorded().sink);
        lender.resumeLent();
        lender.takeBack();
        await far.write(Uint8Array.of(1));
        // It has come by now, and nobody has asked for it.
        await lab.settle();
        const { sink, seen, heard } = recorded();
        let ended = false;
        near.feed({ ...sink, end: () => ended = true });
        await heard(1);
        await far.write(Uint8Array.of(2));
        await heard(2);
        assert.deepEqual([seen, ended], [[1, 2], false]);
      },
    },
    {
      title: "close() rejects what is read after octets were taken back, and tells no sink",
      async run(lab) {
        const { near } = await open(lab);
        const lender = lenderOf(near);
        if (lender === undefined) return;
        const { sink, seen } = recorded();
        lender.lend(sink);
        lender.resumeLent();
        lender.takeBack();
        const reading = near.read();
        near.close();
        await assert.rejects(reading, { name: "ConnectionError", code: "aborted" });
        await assert.rejects(near.read(), { name: "ConnectionError", code: "aborted" });
        assert.deepEqual(seen, []);
      },
    },
    {
      title: "a sink that octets are lent to after close() is told of it, and none before",
      async run(lab) {
        const { near } = await open(lab);
        const lender = lenderOf(near);
        if (lender === undefined) return;
        near.close();
        const ended = new Promise<Error | undefined>((end) => {
          lender.lend({ data: () => true, end });
        });
        lender.resumeLent();
        assert.equal((await ended as { code?: string } | undefined)?.code, "aborted");
        const { near: lent } = await open(lab);
        const { sink } = recorded();
        lenderOf(lent)?.lend(sink);
        lenderOf(lent)?.resumeLent();
        lent.close();
        lenderOf(lent)?.resumeLent();
        await lab.settle();
      },
    },
    {
      title: "a sink that octets are lent to is told of the peer's end",
      async run(lab) {
        const { near, far } = await open(lab);
        const lender = lenderOf(near);
        if (lender === undefined) return;
        const ended = new Promise<Error | undefined>((done) => {
          lender.lend({ data: () => true, end: done });
        });
        lender.resumeLent();
        await far.end();
        assert.equal(await ended, undefined);
      },
    },
  ];
}

interface Recorded {
  readonly sink: Sink;
  readonly seen: readonly number[];
  /** Waits for so many octets. */
  heard(count: number): Promise<void>;
}

function recorded(): Recorded {
  const seen: number[] = [];
  let grown: () => void = () => {};
  const sink: Sink = {
    data(octets) {
      seen.push(...octets);
      grown();
      return true;
    },
    end: () => assert.fail("this sink is not there any more when it ends"),
  };
  const heard = async (count: number): Promise<void> => {
    while (seen.length < count) await new Promise<void>((done) => grown = done);
  };
  return { sink, seen, heard };
}
