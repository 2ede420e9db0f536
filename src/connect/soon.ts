const scope = globalThis as unknown as { setImmediate?: (run: () => void) => unknown };

/** Runs something when everything that is ready to run now has run. */
export function soon(run: () => void): void {
  if (scope.setImmediate === undefined) setTimeout(run, 0);
  else scope.setImmediate(run);
}
