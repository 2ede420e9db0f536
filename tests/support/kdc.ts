/** A Kerberos realm of our own: Debian's KDC on loopback, unprivileged, with its accounts, keytabs and tickets. */
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { executeOrThrow } from "./execute.ts";
import { giveAway, identity, temporaryFolder } from "./postgres_programs.ts";
import { debianProgram, startProgram } from "./program.ts";

/** The realm's name. */
export const REALM = "TEST.EXAMPLE";
/** The password of every account. */
const PASSWORD = "pencil";
const MASTER_PASSWORD = "master";

/** A realm that runs. */
export interface Kdc {
  /** The configuration of a client that finds it. */
  readonly configuration: string;
  /** The keys of the service "postgres/localhost", which the user of the servers can read. */
  readonly keytab: string;
  /** The environment of a program that is to use this realm, with these tickets. */
  environment(tickets: string): Readonly<Record<string, string>>;
  /**
   * Gets an account's ticket, which may be passed on.
   *
   * @param lifetime As kinit's `-l` takes it; a working day unless said.
   * @returns Where it is, as KRB5CCNAME takes it.
   */
  ticket(account: string, lifetime?: string): Promise<string>;
  /** A configuration that looks for the KDC at a port of somebody else. */
  elsewhere(port: number): string;
  /** Ends it. */
  stop(): Promise<void>;
}

/**
 * Starts a realm with the accounts "alice" and "bob", and the services "postgres/localhost" and, without a keytab,
 * "other/localhost".
 *
 * @throws {MachineUnavailable} If a package is not installed.
 */
export async function startKdc(): Promise<Kdc> {
  const programs = {
    krb5kdc: debianProgram("krb5kdc", "krb5-kdc"),
    create: debianProgram("kdb5_util", "krb5-kdc"),
    admin: debianProgram("kadmin.local", "krb5-admin-server"),
    kinit: debianProgram("kinit", "krb5-user"),
  };
  // Apart from the program's folder, which is made anew for every port that is tried.
  const home = temporaryFolder("realm");
  chmodSync(home, 0o755);
  const keytab = join(home, "keytab");
  const configuration = join(home, "krb5.conf");
  const profile = join(home, "kdc.conf");
  const environment = { KRB5_CONFIG: configuration, KRB5_KDC_PROFILE: profile };
  const run = async (
    program: string,
    args: readonly string[],
    more: object = {},
  ): Promise<void> => {
    const options = { ...identity, cwd: home, environment: { ...environment, ...more } };
    await executeOrThrow(`run ${program}`, program, args, options);
  };
  let made = false;
  const program = await startProgram({
    name: "kdc",
    executable: programs.krb5kdc,
    environment,
    signal: "SIGTERM",
    ready: /commencing operation/,
    async prepare(folder, port) {
      write(configuration, clientConfiguration(port));
      write(profile, kdcConfiguration(home, port));
      if (!made) {
        made = true;
        await run(programs.create, ["create", "-s", "-P", MASTER_PASSWORD]);
        for (const query of QUERIES) await run(programs.admin, ["-q", query]);
        await run(programs.admin, ["-q", `ktadd -k ${keytab} postgres/localhost`]);
        chmodSync(keytab, 0o644);
      }
      return ["-n", "-P", join(folder, "pid")];
    },
  });
  let tickets = 0;
  return {
    configuration,
    keytab,
    environment: (cache) => ({ KRB5_CONFIG: configuration, KRB5CCNAME: cache }),
    async ticket(account, lifetime = "8h") {
      const path = join(home, `tickets-${++tickets}`);
      const cache = `FILE:${path}`;
      await executeOrThrow(`get a ticket for ${account}`, programs.kinit, [
        "-f",
        "-l",
        lifetime,
        account,
      ], {
        ...identity,
        cwd: home,
        environment: { KRB5_CONFIG: configuration, KRB5CCNAME: cache },
        input: `${PASSWORD}\n`,
      });
      return cache;
    },
    elsewhere(port) {
      const path = join(home, `krb5-${port}.conf`);
      write(path, clientConfiguration(port));
      return path;
    },
    stop: program.stop,
  };
}

const QUERIES: readonly string[] = [
  `addprinc -pw ${PASSWORD} alice`,
  `addprinc -pw ${PASSWORD} bob`,
  "addprinc -randkey +ok_as_delegate postgres/localhost",
  "addprinc -randkey other/localhost",
];

function clientConfiguration(port: number): string {
  return `[libdefaults]
 default_realm = ${REALM}
 rdns = false
 dns_canonicalize_hostname = false
 dns_lookup_kdc = false
 dns_lookup_realm = false
[realms]
 ${REALM} = {
  kdc = 127.0.0.1:${port}
 }
[domain_realm]
 localhost = ${REALM}
`;
}

function kdcConfiguration(home: string, port: number): string {
  return `[kdcdefaults]
 kdc_listen = 127.0.0.1:${port}
 kdc_tcp_listen = 127.0.0.1:${port}
[realms]
 ${REALM} = {
  database_name = ${join(home, "principal")}
  key_stash_file = ${join(home, "stash")}
  acl_file = ${join(home, "acl")}
 }
[logging]
 kdc = STDERR
`;
}

function write(path: string, text: string): void {
  writeFileSync(path, text);
  giveAway(path);
}
