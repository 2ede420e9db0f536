import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { ConnectionPlan } from "../../src/plan/attempts.ts";
import { type Chance, shuffled } from "../../src/plan/shuffle.ts";
import { DIAL, hostsOf } from "./plans.ts";

/** Every sequence of draws for a list of that length: the first below `length`, the last below 2. */
function drawsFor(length: number): readonly (readonly number[])[] {
  if (length < 2) return [[]];
  const later = drawsFor(length - 1);
  return Array.from({ length }, (_, first) => later.map((rest) => [first, ...rest])).flat();
}

/** Chance that gives these numbers, and checks what it is asked for. */
function drawing(numbers: readonly number[], bounds: number[] = []): Chance {
  const left = [...numbers];
  return (below) => {
    bounds.push(below);
    const drawn = left.shift();
    assert.ok(drawn !== undefined && drawn < below, `no draw below ${below} is left`);
    return drawn;
  };
}

function countOf(texts: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return counts;
}

for (const [length, orders] of [[0, 1], [1, 1], [2, 2], [3, 6], [4, 24], [5, 120]] as const) {
  test(`shuffled() gives each order of ${length} for exactly one sequence of draws`, () => {
    const list = Array.from({ length }, (_, index) => index);
    const sequences = drawsFor(length);
    assert.equal(sequences.length, orders);
    const counts = countOf(sequences.map((draws) => shuffled(list, drawing(draws)).join(",")));
    assert.equal(counts.size, orders);
    assert.deepEqual(new Set(counts.values()), new Set([1]));
    assert.deepEqual(list, Array.from({ length }, (_, index) => index), "the list itself is kept");
  });
}

test("shuffled() draws once for each place but the last, below what is left", () => {
  const bounds: number[] = [];
  shuffled(["a", "b", "c", "d"], drawing([0, 0, 0], bounds));
  assert.deepEqual(bounds, [4, 3, 2]);
});

/** The addresses a plan goes to when every attempt fails to dial; names have the addresses `of` gives. */
function orderOf(
  names: readonly string[],
  chance: Chance | undefined,
  of: readonly string[] = [],
  attrs: "any" | "prefer-standby" = "any",
): readonly string[] {
  const plan = new ConnectionPlan({
    hosts: hostsOf(names),
    sslmode: "disable",
    sslnegotiation: "postgres",
    targetSessionAttrs: attrs,
    chance,
  });
  const order: string[] = [];
  for (let target = plan.next(); target !== undefined; target = plan.next()) {
    if (target.do === "resolve") {
      plan.resolved(of);
      continue;
    }
    order.push(target.address ?? target.host.host);
    plan.failed(DIAL);
  }
  return order;
}

const THREE = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];

test("every order of three hosts appears, each for one sequence of draws", () => {
  const orders = drawsFor(3).map((draws) => orderOf(THREE, drawing(draws)).join(" "));
  assert.equal(new Set(orders).size, 6);
  for (const order of orders) assert.deepEqual(order.split(" ").sort(), THREE);
});

test("every order of a host's three addresses appears, each for one sequence of draws", () => {
  const orders = drawsFor(3).map((draws) => orderOf(["db1"], drawing(draws), THREE).join(" "));
  assert.equal(new Set(orders).size, 6);
  for (const order of orders) assert.deepEqual(order.split(" ").sort(), THREE);
});

test("without load balancing hosts and addresses keep their order", () => {
  assert.deepEqual(orderOf(THREE, undefined), THREE);
  assert.deepEqual(orderOf(["db1"], undefined, THREE), THREE);
});

test("a host that is listed twice is first twice as often", () => {
  const firsts = drawsFor(3).map((draws) =>
    orderOf(["10.0.0.1", "10.0.0.1", "10.0.0.2"], drawing(draws))[0] ?? ""
  );
  assert.deepEqual([...countOf(firsts)].sort(), [["10.0.0.1", 4], ["10.0.0.2", 2]]);
});

test("hosts are shuffled once, addresses after each look-up", () => {
  const bounds: number[] = [];
  const draws = [
    0,
    /* first look-up */ 1,
    1,
    /* second */ 2,
    0,
    /* third */ 0,
    0,
    /* fourth */ 2,
    1,
  ];
  const order = orderOf(["db1", "db2"], drawing(draws, bounds), THREE, "prefer-standby");
  assert.deepEqual(bounds, [2, 3, 2, 3, 2, 3, 2, 3, 2]);
  assert.equal(order.length, 12);
});

test("both passes of prefer-standby go over the hosts in the same order", () => {
  for (const draws of drawsFor(3)) {
    const order = orderOf(THREE, drawing(draws), [], "prefer-standby");
    assert.deepEqual(order.slice(0, 3), order.slice(3));
  }
});

test("Unix sockets and addresses take part in the shuffle", () => {
  const names = ["/run/pg", "10.0.0.1"];
  assert.deepEqual(orderOf(names, drawing([0])), ["10.0.0.1", "/run/pg"]);
  assert.deepEqual(orderOf(names, drawing([1])), ["/run/pg", "10.0.0.1"]);
});

test("the host list itself is not shuffled", () => {
  const hosts = hostsOf(THREE);
  const before = [...hosts];
  new ConnectionPlan({
    hosts,
    sslmode: "disable",
    sslnegotiation: "postgres",
    chance: drawing([0, 0]),
  }).next();
  assert.deepEqual(hosts, before);
});
