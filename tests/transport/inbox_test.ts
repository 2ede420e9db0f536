import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { Inbox } from "../../src/transport/inbox.ts";
import { madeOnce, Pending } from "../../src/transport/pending.ts";

function recorded(maxHeldOctets: number): { inbox: Inbox; flow: string[] } {
  const flow: string[] = [];
  const source = { pause: () => flow.push("pause"), resume: () => flow.push("resume") };
  return { inbox: new Inbox(source, maxHeldOctets), flow };
}

test("Inbox pauses its source at the limit, once, and resumes it below", async () => {
  const { inbox, flow } = recorded(4);
  inbox.push(new Uint8Array(3));
  assert.deepEqual(flow, []);
  inbox.push(new Uint8Array(1));
  assert.deepEqual(flow, ["pause"]);
  inbox.push(new Uint8Array(9));
  assert.deepEqual(flow, ["pause"]);
  assert.equal(inbox.held, 13);
  await inbox.read();
  await inbox.read();
  assert.deepEqual(flow, ["pause"]);
  await inbox.read();
  assert.deepEqual(flow, ["pause", "resume"]);
  assert.equal(inbox.held, 0);
});

test("Inbox hands octets to a waiting read without holding them", async () => {
  const { inbox, flow } = recorded(1);
  const reading = inbox.read();
  assert.equal(inbox.reading, true);
  inbox.push(Uint8Array.of(1));
  assert.equal(inbox.reading, false);
  assert.equal(inbox.held, 0);
  assert.deepEqual(flow, []);
  assert.deepEqual(await reading, Uint8Array.of(1));
});

test("Inbox never reads nothing: an empty chunk is no chunk", async () => {
  const { inbox } = recorded(1);
  const reading = inbox.read();
  inbox.push(new Uint8Array(0));
  inbox.push(Uint8Array.of(2));
  assert.deepEqual(await reading, Uint8Array.of(2));
});

test("Inbox yields what came before an error first", async () => {
  const { inbox } = recorded(10);
  const error = new Error("reset");
  inbox.push(Uint8Array.of(1));
  inbox.end(error);
  inbox.push(Uint8Array.of(2));
  inbox.end();
  assert.deepEqual(await inbox.read(), Uint8Array.of(1));
  await assert.rejects(inbox.read(), (caught) => caught === error);
  await assert.rejects(inbox.read(), (caught) => caught === error);
});

test("Inbox forgets what is unread when it is aborted, also after the end", async () => {
  const { inbox } = recorded(10);
  const error = new Error("closed");
  inbox.push(Uint8Array.of(1));
  inbox.end();
  inbox.abort(error);
  assert.equal(inbox.held, 0);
  await assert.rejects(inbox.read(), (caught) => caught === error);
});

test("Pending settles each operation once, and rejects later ones with the last error", async () => {
  const pending = new Pending();
  const settle: { done?: (value: number) => void; fail?: (error: Error) => void } = {};
  const run = pending.run<number>((done, fail) => Object.assign(settle, { done, fail }));
  const first = new Error("first");
  pending.end(first);
  settle.done?.(1);
  settle.fail?.(new Error("late"));
  await assert.rejects(run, (caught) => caught === first);
  const second = new Error("second");
  pending.end(second);
  let began = false;
  const later = pending.run<void>(() => {
    began = true;
  });
  await assert.rejects(later, (caught) => caught === second);
  assert.equal(began, false);
});

test("Inbox hands a sink what is unread, then what comes, until it says no", async () => {
  const { inbox, flow } = recorded(4);
  inbox.push(Uint8Array.of(1));
  inbox.push(Uint8Array.of(2));
  const seen: number[] = [];
  let more = true;
  const ends: (Error | undefined)[] = [];
  const resume = inbox.pour({
    data: ([octet = 0]) => {
      seen.push(octet);
      return more;
    },
    end: (error) => void ends.push(error),
  });
  assert.deepEqual(seen, []);
  await Promise.resolve();
  assert.deepEqual(seen, [1, 2]);
  assert.equal(inbox.reading, true);
  more = false;
  inbox.push(Uint8Array.of(3));
  inbox.push(Uint8Array.of(4, 4, 4));
  inbox.push(Uint8Array.of(5));
  inbox.end();
  assert.deepEqual([seen, flow, ends], [[1, 2, 3], ["pause"], []]);
  resume();
  assert.deepEqual([seen, flow, ends], [[1, 2, 3, 4], ["pause", "resume"], []]);
  more = true;
  resume();
  assert.deepEqual([seen, ends], [[1, 2, 3, 4, 5], [undefined]]);
  resume();
  inbox.end(new Error("late"));
  assert.deepEqual(ends, [undefined]);
});

test("Inbox tells a sink of an error once, and nothing after abort()", async () => {
  const error = new Error("reset");
  for (const aborted of [false, true]) {
    const { inbox } = recorded(4);
    const heard: unknown[] = [];
    inbox.pour({ data: (octets) => heard.push(octets) > 0, end: (one) => void heard.push(one) });
    await Promise.resolve();
    assert.throws(() => inbox.pour({ data: () => true, end: () => {} }), { name: "UsageError" });
    await assert.rejects(inbox.read(), { name: "UsageError" });
    if (aborted) inbox.abort(new Error("closed"));
    inbox.end(error);
    inbox.push(Uint8Array.of(1));
    assert.deepEqual(heard, aborted ? [] : [error]);
  }
});

test("Inbox lends to a sink until it is taken back, also by the sink itself", async () => {
  const { inbox } = recorded(4);
  const seen: number[] = [];
  const sink = {
    data: ([octet = 0]: Uint8Array): boolean => {
      seen.push(octet);
      if (octet === 2) inbox.takeBack();
      return true;
    },
    end: () => assert.fail("the end is for whoever reads"),
  };
  inbox.lend(sink);
  inbox.push(Uint8Array.of(1));
  assert.deepEqual(seen, [], "nothing comes before resume()");
  inbox.resume();
  for (const octet of [2, 3]) inbox.push(Uint8Array.of(octet));
  assert.equal(inbox.reading, false);
  inbox.end();
  inbox.resume();
  assert.deepEqual(seen, [1, 2]);
  assert.deepEqual(await inbox.read(), Uint8Array.of(3));
  assert.equal(await inbox.read(), undefined);
});

test("what ends a transport is made when somebody gets it, and is the same for everybody", async () => {
  let made = 0;
  const failure = madeOnce(() => new Error(`made ${++made} times`));
  const pending = new Pending();
  const { inbox } = recorded(4);
  await pending.run<void>((done) => done());
  pending.end(failure);
  inbox.end(failure);
  inbox.abort(failure);
  assert.equal(made, 0);
  assert.equal(pending.ended, true);
  const seen = [await rejected(inbox.read()), await rejected(pending.run(() => {}))];
  assert.deepEqual([new Set([...seen, pending.failure]).size, made], [1, 1]);
});

test("Pending rejects all that are unfinished at once", async () => {
  const pending = new Pending();
  const runs = [1, 2, 3].map(() => pending.run<void>(() => {}));
  const error = new Error("over");
  pending.end(error);
  for (const run of runs) assert.equal(await rejected(run), error);
});

function rejected(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(() => assert.fail("it was kept"), (error: unknown) => error);
}
