/** What a driver sends in StartupMessage when nobody told it anything; undefined where it would send nothing. */
export interface DriverDefaults {
  readonly user: string | undefined;
  /** The database where it is not simply the user's name. */
  readonly database: string | undefined;
  readonly applicationName: string | undefined;
  readonly options: string | undefined;
}

/** One of the drivers, as far as a bridge has to know it. */
export interface Driver {
  /** As its users call it, in error messages. */
  readonly name: string;
  /** Where its users give it options, in error messages. */
  readonly optionsOf: string;
  /** What it reads from the environment when nobody told it anything. */
  defaults(environment: (name: string) => string | undefined): DriverDefaults;
  /** An application_name of its own making, which anything else goes before. */
  readonly ownApplicationName: string | undefined;
  /** What switches its own TLS on and must be changed, most likely first. */
  tlsCulprits(environment: (name: string) => string | undefined): readonly string[];
}
