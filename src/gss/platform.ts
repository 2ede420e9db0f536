import type { ForeignRuntime } from "./foreign.ts";

/** The operating system and processor, as Bun and Node name them. */
export function thisPlatform(): Pick<ForeignRuntime, "platform" | "isX64"> {
  const { process } = globalThis as unknown as {
    process?: { readonly platform?: string; readonly arch?: string };
  };
  const { platform, arch } = process ?? {};
  return {
    platform: platform === "win32" ? "windows" : platform === "darwin" ? "darwin" : "linux",
    isX64: arch === "x64",
  };
}
