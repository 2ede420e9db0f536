/**
 * Something that is loaded when it is first asked for, and kept: asking the runtime again for a module it has takes a
 * twentieth of a connection's processor time.
 *
 * @param load With a literal `import()`, so that bundlers and `deno check` see it.
 */
export function late<T>(load: () => Promise<T>): () => Promise<T> {
  let loading: Promise<T> | undefined;
  return () => loading ??= load();
}
