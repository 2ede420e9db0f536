import { type Proxy, startProxy } from "../../tests/support/proxy.ts";
import { type Bench, isPeer, type PartResult, titleOf } from "../bench.ts";
import type { ContenderName } from "../contenders/table.ts";
import { RuntimeWorker } from "../runtime_worker.ts";
import { conninfoOf, placeOf, type Scenario, SCENARIOS, takesPart } from "../scenarios.ts";
import type { Runtime } from "../../tests/support/runtimes.ts";

/** Long enough that what a client sends without waiting is one flight, even on a busy machine. */
const HOLD_MS = 50;
/** Who learns has learned by the last. The least counts: a busy machine only ever makes more of them. */
const CONNECTS = 2;
/** What {@link Count.who} ends with where a query was sent as early as it may be. */
const WITH_QUERY = ", to the result of the first query";
const TCP = 1;

/** Round trips of one contender to one server. */
interface Count {
  readonly who: string;
  readonly server: number;
  readonly scenario: string;
  readonly roundTrips: number;
}

type Column = readonly [server: number, scenario: Scenario];

/** Counts round trips to ReadyForQuery through a proxy that records who sent what in turn; TCP counts as one. */
export async function measureFlights(bench: Bench): Promise<PartResult> {
  const columns = columnsOf(bench);
  bench.progress("flights");
  // Side by side, each by proxies of its own: they mostly wait.
  const counts = (await Promise.all([
    throughProxies(bench, columns, countLibpqs),
    ...bench.runtimes.map((runtime) => throughProxies(bench, columns, countRuntime(runtime))),
  ])).flat();
  const names = [...new Set(counts.map(({ who }) => who))];
  const cell = (who: string, [server, { name }]: Column): string => {
    const found = counts.find((one) =>
      one.who === who && one.server === server && one.scenario === name
    );
    return found === undefined ? "–" : String(found.roundTrips);
  };
  return {
    title: "Round trips to ReadyForQuery",
    legend:
      `Flights of the client through a proxy that holds the server's octets for ${HOLD_MS} ms, and one for ` +
      "TCP. Who repeats had connected before; postgres.js and pgwire connect by a query, which is counted.",
    tables: [{
      head: ["", ...columns.map(([server, { name }]) => `${name}, PostgreSQL ${server}`)],
      rows: names.map((who) => [who, ...columns.map((column) => cell(who, column))]),
    }],
    summary: [...bench.servers.keys()].flatMap((server) => {
      const own = columns.filter(([version]) => version === server);
      const scenarios = own.map(([, { name }]) => name).join(", ");
      const texts = (contender: ContenderName, more = ""): readonly string[] =>
        bench.runtimes.map((runtime) =>
          own.map((column) => cell(`${titleOf(contender, runtime)}${more}`, column)).join(", ")
        );
      const peers = bench.runtimes.flatMap((runtime) =>
        bench.contendersOn(runtime).filter(isPeer).map((contender) => titleOf(contender, runtime))
      );
      const peer = own.map(([, { name }]) =>
        Math.min(
          ...counts.filter((one) =>
            one.server === server && one.scenario === name && peers.includes(one.who)
          ).map(({ roundTrips }) => roundTrips),
        )
      ).join(", ");
      const title = `round trips, PostgreSQL ${server}: ${scenarios}`;
      return [
        { figure: title, ours: texts("ours"), floor: texts("raw"), peer },
        {
          figure: `${title}; repeat`,
          ours: texts("ours, repeat"),
          floor: texts("raw, repeat"),
          peer,
        },
        {
          figure: `${title}; repeat${WITH_QUERY}`,
          ours: texts("ours, repeat", WITH_QUERY),
          floor: texts("raw, repeat", WITH_QUERY),
          peer: "–",
        },
      ];
    }),
    data: counts,
  };
}

/** Counts through one set of proxies, one contender after the other. */
type Counting = (lab: Lab) => Promise<void>;

/** What counting needs. */
interface Lab {
  readonly bench: Bench;
  readonly columns: readonly Column[];
  proxyOf(column: Column): Proxy;
  /** Connects and adds what it took. */
  count(
    who: string,
    columns: readonly Column[],
    connect: (column: Column) => Promise<void>,
  ): Promise<void>;
}

async function throughProxies(
  bench: Bench,
  columns: readonly Column[],
  counting: Counting,
): Promise<readonly Count[]> {
  const proxies = new Map<number, Proxy>();
  const counts: Count[] = [];
  const proxyOf = ([server]: Column): Proxy => {
    const proxy = proxies.get(server);
    if (proxy === undefined) throw new TypeError("There is a proxy for every server");
    return proxy;
  };
  const count: Lab["count"] = async (who, own, connect) => {
    for (const column of own) {
      for (let at = 0; at < CONNECTS; at++) await connect(column);
      const seen = proxyOf(column).flights().slice(-CONNECTS).map(roundTripsOf);
      const [server, { name: scenario }] = column;
      counts.push({ who, server, scenario, roundTrips: Math.min(...seen) });
    }
  };
  try {
    for (const [version, { port }] of bench.servers) {
      const target = { host: "127.0.0.1", port };
      proxies.set(version, await startProxy({ target, holdMs: HOLD_MS }));
    }
    await counting({ bench, columns, proxyOf, count });
    return counts;
  } finally {
    for (const proxy of proxies.values()) await proxy.close();
  }
}

async function countLibpqs({ bench, columns, proxyOf, count }: Lab): Promise<void> {
  for (const libpq of bench.libpqs.slice(0, 2)) {
    const process = await libpq.start();
    const can = ({ encryption }: Scenario): boolean =>
      encryption !== "direct" || libpq.version >= 170_000;
    await count(
      libpq.title,
      columns.filter(([, scenario]) => can(scenario)),
      async (column) =>
        void await process.ask(`batch 1 ${conninfoOf(column[1], proxyOf(column).port)}`),
    );
    await process.end();
  }
}

function countRuntime(runtime: Runtime): Counting {
  return async ({ bench, columns, proxyOf, count }) => {
    for (const contender of bench.contendersOn(runtime)) {
      const worker = await RuntimeWorker.start(runtime, contender, bench.folder);
      const own = columns.filter(([, scenario]) => takesPart(contender, scenario));
      const connect = (withQuery: boolean) => async (column: Column): Promise<void> => {
        const place = placeOf(column[1], proxyOf(column).port);
        await worker.ask({ do: "batch", place, count: 1, withQuery });
      };
      await count(titleOf(contender, runtime), own, connect(false));
      // Who keeps something can send a query early, too.
      if (contender.endsWith("repeat")) {
        await count(`${titleOf(contender, runtime)}${WITH_QUERY}`, own, connect(true));
      }
      await worker.end();
    }
  };
}

/** What was sent behind the server's last flight waits for nothing: it is Terminate. */
function roundTripsOf(flights: ReturnType<Proxy["flights"]>[number]): number {
  const last = flights.findLastIndex(({ from }) => from === "server");
  return TCP + flights.slice(0, last).filter(({ from }) => from === "client").length;
}

/** Everything on 18; on older servers what depends on their TLS. */
function columnsOf({ servers }: Bench): readonly Column[] {
  return [...servers.keys()].flatMap((server) =>
    SCENARIOS.filter(({ encryption }) =>
      server === 18 || encryption === "ssl-request" || (encryption === "direct" && server >= 17)
    ).map((scenario): Column => [server, scenario])
  );
}
