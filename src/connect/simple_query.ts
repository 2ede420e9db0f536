import { type PgHandshakeError, ProtocolError, UsageError } from "../errors.ts";
import { ServerError } from "../handshake/server_error.ts";
import type { BackendMessage } from "../wire/backend.ts";
import type { FrontendMessage } from "../wire/frontend.ts";
import type { ColumnDescription } from "../wire/query.ts";

/** What one statement of a query gave. */
export interface QueryResult {
  /** The columns of its rows; empty for statements without rows. */
  readonly columns: readonly ColumnDescription[];
  /** Values as PostgreSQL writes them in text; null for NULL. */
  readonly rows: readonly (readonly (string | null)[])[];
  /** The command tag, for example "SELECT 1"; empty for an empty query. */
  readonly command: string;
}

/** What the query's owner does after a message. */
export type QueryStep =
  | { readonly do: "read" }
  | { readonly do: "send"; readonly message: FrontendMessage }
  | { readonly do: "finish"; readonly status: "I" | "T" | "E" };

const READ: QueryStep = { do: "read" };

/** What may come between Query and ReadyForQuery, besides messages that may come at any time. */
const EXPECTED =
  "RowDescription, DataRow, CommandComplete, EmptyQueryResponse, ErrorResponse, ReadyForQuery";

/**
 * One simple query (PostgreSQL manual, 54.2.2), message by message. Knows neither sockets nor time. COPY is refused
 * in its own terms, so that the session stays usable.
 */
export class SimpleQuery {
  readonly #results: QueryResult[] = [];
  #columns: readonly ColumnDescription[] = [];
  #rows: (readonly (string | null)[])[] = [];
  #error: PgHandshakeError | undefined;

  /**
   * Takes the next message.
   *
   * @throws {ProtocolError} If it has no place in a simple query; the session is of no use then.
   */
  onMessage(message: BackendMessage): QueryStep {
    switch (message.type) {
      case "RowDescription":
        this.#columns = message.columns;
        this.#rows = [];
        return READ;
      case "DataRow":
        if (message.values.length !== this.#columns.length) {
          throw new ProtocolError(
            `Cannot take a DataRow of ${message.values.length} values: RowDescription announced ${this.#columns.length}`,
            { phase: "ready" },
          );
        }
        this.#rows.push(message.values);
        return READ;
      case "CommandComplete":
        this.#finishStatement(message.tag);
        return READ;
      case "EmptyQueryResponse":
        this.#finishStatement("");
        return READ;
      case "ErrorResponse":
        // What we caused by refusing COPY is told in our own words, which were first.
        this.#error ??= new ServerError(message.fields, "ready");
        return READ;
      case "CopyInResponse":
        this.#refuseCopy();
        return { do: "send", message: { type: "CopyFail", reason: "query() does not speak COPY" } };
      case "CopyBothResponse":
        // A walsender takes no CopyFail (walsender.c, ProcessRepliesIfAny).
        this.#refuseCopy();
        return { do: "send", message: { type: "CopyDone" } };
      case "CopyOutResponse":
        this.#refuseCopy();
        return READ;
      case "CopyData":
      case "CopyDone":
        if (this.#error !== undefined) return READ;
        break;
      case "ReadyForQuery":
        return { do: "finish", status: message.status };
      default:
        break;
    }
    throw new ProtocolError(`Cannot take ${message.type} now: expected ${EXPECTED}`, {
      phase: "ready",
    });
  }

  /**
   * The results, after `finish`.
   *
   * @throws {ServerError} If a statement failed.
   * @throws {UsageError} If the query was COPY.
   */
  results(): readonly QueryResult[] {
    if (this.#error !== undefined) throw this.#error;
    return this.#results;
  }

  /** The first error so far: what the server said before it went away. */
  get error(): PgHandshakeError | undefined {
    return this.#error;
  }

  #finishStatement(command: string): void {
    this.#results.push({ columns: this.#columns, rows: this.#rows, command });
    this.#columns = [];
    this.#rows = [];
  }

  #refuseCopy(): void {
    this.#error ??= new UsageError("Cannot run COPY with query(): it takes text results only", {
      phase: "ready",
      hint: "detach() hands the session to a driver that speaks COPY",
    });
  }
}
