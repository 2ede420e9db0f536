/** Measures how long the event loop is blocked on the runtime it runs on; prints one line of JSON. Started by `blocking.ts`. */
import process from "node:process";
import { connect } from "../mod.ts";

/** JSON in the first argument. */
export interface BlockingTask {
  readonly port: number;
  readonly password: string;
  /** Users with that password, by the iterations of their SCRAM secret. */
  readonly users: Readonly<Record<string, string>>;
  readonly rounds: number;
}

/** The longest time the timer was late in each round, in milliseconds. */
export interface BlockingSample {
  readonly work: string;
  readonly longestMs: readonly number[];
}

const TICK_MS = 1;
const IDLE_MS = 100;
const AT_ONCE = 100;
/** 50 MB of values in rows of 1000 octets. */
const ROWS = 50_000;
/** Rounds that only make the compilers warm. */
const WARM_UP = 2;

const task = JSON.parse(process.argv[2] ?? "") as BlockingTask;
const { port, password, users, rounds } = task;

type Work = () => Promise<void>;
const works: readonly (readonly [name: string, work: Work])[] = [
  ["nothing", () => new Promise((resolve) => setTimeout(resolve, IDLE_MS))],
  ...Object.entries(users).map(([iterations, user]) =>
    [`connect, ${iterations} iterations`, () => connectOnce(user)] as const
  ),
  [`${AT_ONCE} connects at once`, connectMany],
  ["a result of 50 MB", fetchMuch],
];

const samples: BlockingSample[] = [];
for (const [work, run] of works) {
  const longestMs: number[] = [];
  for (let round = -WARM_UP; round < rounds; round++) {
    const longest = await longestBlock(run);
    if (round >= 0) longestMs.push(longest);
  }
  samples.push({ work, longestMs });
}
process.stdout.write(`${JSON.stringify(samples)}\n`);

/** How late a timer that ticks every millisecond was at worst while the work went on. */
async function longestBlock(work: Work): Promise<number> {
  let last = performance.now();
  let longest = 0;
  const tick = (): void => {
    const now = performance.now();
    longest = Math.max(longest, now - last - TICK_MS);
    last = now;
  };
  const ticking = setInterval(tick, TICK_MS);
  try {
    await work();
    // A block at the end of the work shows in the first tick behind it.
    await new Promise((resolve) => setTimeout(resolve, 2 * TICK_MS));
    tick();
  } finally {
    clearInterval(ticking);
  }
  return longest;
}

async function connectOnce(user: string): Promise<void> {
  const session = await open(user);
  await session.close();
}

async function connectMany(): Promise<void> {
  const [user = ""] = Object.values(users);
  await Promise.all(Array.from({ length: AT_ONCE }, () => connectOnce(user)));
}

async function fetchMuch(): Promise<void> {
  const [user = ""] = Object.values(users);
  const session = await open(user);
  const query = `select repeat('x', 1000) from generate_series(1, ${ROWS})`;
  const [result] = await session.query(query);
  if (result?.rows.length !== ROWS) throw new Error("Cannot measure: the result is not whole");
  await session.close();
}

function open(user: string): ReturnType<typeof connect> {
  const target = { host: "127.0.0.1", port, user, password, dbname: "app", sslmode: "disable" };
  return connect(target);
}
