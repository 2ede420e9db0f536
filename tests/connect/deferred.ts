/** What tests wait for. */
import { setImmediate } from "node:timers";

/** A promise that a test settles; Promise.withResolvers() is missing on Node 20. */
export interface Deferred {
  readonly promise: Promise<void>;
  resolve(): void;
}

/** Makes one. */
export function deferred(): Deferred {
  let settle: (() => void) | undefined;
  const promise = new Promise<void>((resolve) => settle = resolve);
  return { promise, resolve: () => settle?.() };
}

/** A promise that never settles. */
export function never<T>(): Promise<T> {
  return new Promise<T>(() => {});
}

/** Lets everything run that is ready to, so many turns of the event loop long. Timers of a test do not matter. */
export async function settled(turns = 3): Promise<void> {
  for (let turn = 0; turn < turns; turn++) {
    await new Promise<void>((resolve) => setImmediate(() => resolve()));
  }
}
