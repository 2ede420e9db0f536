/**
 * What gathering asks of the machine. `needed: false` marks what is only a default: where a permission is missing it
 * counts as absent, and nobody is prompted. `needed: true` marks what the settings ask for: there the one who answers
 * throws a `ConfigError` with the code `missing-permission`.
 */
export type HostRequest =
  /** Answered by "windows" or "posix". */
  | { readonly want: "platform" }
  /** The value of a variable; undefined if it is not set, which an empty value is not. */
  | { readonly want: "environment"; readonly name: string; readonly needed: boolean }
  /** The account's home, on Windows the directory of application data; undefined if there is none. */
  | { readonly want: "home-directory"; readonly needed: boolean }
  /** The name of the account; undefined if it has none. */
  | { readonly want: "user-name" }
  /** Where this machine's servers put their Unix sockets; undefined where there are none. */
  | { readonly want: "socket-directory" }
  /** The text of a file, read as UTF-8; undefined if it does not exist. */
  | {
    readonly want: "file";
    readonly path: string;
    /** The parameter that leads to this file. */
    readonly keyword: string;
    readonly needed: boolean;
  };

/** The answer to a {@link HostRequest}. */
export type HostAnswer = string | undefined;
