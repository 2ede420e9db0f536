/** Runs the orders of the bench on the runtime it runs on; one answer a line. Started by `runtime_worker.ts`. */
import process from "node:process";
import { createInterface } from "node:readline";
import type { Contender, Opened, Place } from "./contenders/contender.ts";
import { loadContender } from "./contenders/table.ts";
import { countDerivations, derivations } from "./derivations.ts";
import type { Batch, Burst, Idle, Order } from "./orders.ts";

/** Sessions at once, and how often, that make compilers and allocators warm before memory is looked at. */
const WARM_UP = { sessions: 20, rounds: 8 };

let contender: Contender | undefined;

countDerivations();
for await (const line of createInterface({ input: process.stdin })) {
  const answer = await run(JSON.parse(line) as Order);
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
// A driver may leave a timer behind.
process.exit(0);

async function run(order: Order): Promise<unknown> {
  if (order.do === "load") {
    contender = await loadContender(order.contender);
    return {};
  }
  if (contender === undefined) throw new Error("No contender was loaded");
  switch (order.do) {
    case "batch":
      return await batch(contender, order.place, order.count, order.withQuery === true);
    case "burst":
      return await burst(contender, order.place, order.count);
    case "idle":
      return await idle(contender, order.place, order.count);
  }
}

async function batch(
  contender: Contender,
  place: Place,
  count: number,
  withQuery: boolean,
): Promise<Batch> {
  const readyUs: number[] = [];
  const totalUs: number[] = [];
  const open = withQuery ? contender.openWithQuery : contender.open;
  if (open === undefined) throw new Error("This contender has no way to send a query early");
  const before = process.cpuUsage();
  for (let at = 0; at < count; at++) {
    const began = performance.now();
    const opened = await open(place);
    const ready = performance.now();
    await opened.close();
    totalUs.push((performance.now() - began) * 1000);
    readyUs.push((ready - began) * 1000);
  }
  return { readyUs, totalUs, cpuUs: cpuSince(before) / count };
}

async function burst(contender: Contender, place: Place, count: number): Promise<Burst> {
  const began = performance.now();
  const before = process.cpuUsage();
  const derived = derivations();
  const all = await openAll(contender, place, count);
  const wallUs = (performance.now() - began) * 1000;
  const cpuUs = cpuSince(before);
  await closeAll(all);
  return { wallUs, cpuUs, derivations: derivations() - derived };
}

async function idle(contender: Contender, place: Place, count: number): Promise<Idle> {
  for (let round = 0; round < WARM_UP.rounds; round++) {
    await closeAll(await openAll(contender, place, WARM_UP.sessions));
  }
  const before = await settled();
  const all = await openAll(contender, place, count);
  const after = await settled();
  await closeAll(all);
  return {
    heapOctets: (after.heapUsed - before.heapUsed) / count,
    rssOctets: (after.rss - before.rss) / count,
  };
}

async function openAll(contender: Contender, place: Place, count: number): Promise<Opened[]> {
  return await Promise.all(Array.from({ length: count }, () => contender.open(place)));
}

async function closeAll(all: readonly Opened[]): Promise<void> {
  for (const opened of all) await opened.close();
}

/** What the process holds once everything that can go has gone. */
async function settled(): Promise<{ heapUsed: number; rss: number }> {
  const { gc, Bun } = globalThis as unknown as {
    gc?(): void;
    Bun?: { gc(synchronously: boolean): void };
  };
  for (let turn = 0; turn < 5; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    gc?.();
    Bun?.gc(true);
  }
  return process.memoryUsage();
}

function cpuSince(before: ReturnType<typeof process.cpuUsage>): number {
  const { user, system } = process.cpuUsage(before);
  return user + system;
}
