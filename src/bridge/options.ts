import type { ConnectOptions } from "../connect/options.ts";
import type { ConnectReport } from "../connect/report.ts";
import type { SessionFacts } from "../connect/detached.ts";

/**
 * What a bridge is told beside its target: the options of `connect()` that are not the driver's business. Notices,
 * notifications and parameters reach the driver, which has its own ways to tell of them.
 */
export interface BridgeOptions extends
  Pick<
    ConnectOptions,
    | "password"
    | "bearerToken"
    | "gss"
    | "allowLegacyAuth"
    | "allowCleartextPassword"
    | "maxScramIterations"
    | "minScramIterations"
    | "parameters"
    | "addressRacing"
    | "resolve"
    | "adapter"
    | "onEvent"
  > {
  /**
   * Called with every session right before the driver gets it: how it was authenticated, over which channel, and what
   * was tried. If it throws, the session is closed and the driver gets the error.
   */
  readonly onSession?: (facts: SessionFacts, report: ConnectReport) => void;
}
