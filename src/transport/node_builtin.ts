/** The part of Node that gives its own modules, from 20.16 on. */
interface NodeProcess {
  getBuiltinModule?<Name extends keyof Modules>(name: Name): Modules[Name];
}

interface Modules {
  readonly "node:dns": typeof import("node:dns");
  readonly "node:tls": typeof import("node:tls");
}

const ON_NODE = !("Deno" in globalThis) && !("Bun" in globalThis);

/** Kept: asking again for a module takes a twentieth of a connection's processor time. */
const known: { -readonly [Name in keyof Modules]?: Modules[Name] } = {};

/** `node:dns`, loaded when it is first needed. */
export async function nodeDns(): Promise<Modules["node:dns"]> {
  return known["node:dns"] ??= fromNode("node:dns") ?? await import("node:dns");
}

/** `node:tls`, loaded when it is first needed. */
export async function nodeTls(): Promise<Modules["node:tls"]> {
  return known["node:tls"] ??= fromNode("node:tls") ?? await import("node:tls");
}

/**
 * Node itself is asked where it can be: an `import()` reads every property of the module, and that of the bundled roots
 * of `node:tls` makes a text of each of them, which takes 10 ms. On Deno it is the import that is faster.
 */
function fromNode<Name extends keyof Modules>(name: Name): Modules[Name] | undefined {
  const { process } = globalThis as unknown as { process?: NodeProcess };
  return ON_NODE ? process?.getBuiltinModule?.(name) : undefined;
}
