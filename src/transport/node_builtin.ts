/** The part of Node that gives its own modules, from 20.16 on. */
interface NodeProcess {
  getBuiltinModule?(name: "node:tls"): typeof import("node:tls");
}

const ON_NODE = !("Deno" in globalThis) && !("Bun" in globalThis);

let tls: typeof import("node:tls") | undefined;

/**
 * `node:tls`, loaded when it is first needed and kept, as asking for it again takes a twentieth of a connection's
 * processor time. An `import()` on Node reads every property of a module, and that of the bundled roots makes a text of
 * each of them, which takes 10 ms; so Node is asked directly where it can be.
 */
export async function nodeTls(): Promise<typeof import("node:tls")> {
  return tls ??= fromNode() ?? await import("node:tls");
}

function fromNode(): typeof import("node:tls") | undefined {
  const { process } = globalThis as unknown as { process?: NodeProcess };
  return ON_NODE ? process?.getBuiltinModule?.("node:tls") : undefined;
}
