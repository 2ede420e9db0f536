import type { Signatures } from "./foreign.ts";

/** Functions of a library, as a runtime gives them. */
export type ForeignFunctions = Readonly<
  Record<string, ((...args: readonly (bigint | number)[]) => unknown) | undefined>
>;

/**
 * Calls one of a library's functions with the types it was declared with.
 *
 * @returns What the runtime gives: a number, or a promise of one where the function waits elsewhere.
 */
export function callForeign(
  functions: ForeignFunctions,
  signatures: Signatures,
  name: string,
  args: readonly bigint[],
): unknown {
  const called = functions[name];
  const types = signatures[name];
  if (called === undefined || types === undefined) {
    throw new TypeError(`"${name}" was not declared`);
  }
  return called(...args.map((arg, index) => types[index] === "u32" ? Number(arg) : arg));
}
