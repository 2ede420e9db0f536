import { type PgHandshakeError, ProtocolError, UsageError } from "../errors.ts";
import { ServerError } from "../handshake/server_error.ts";
import type { BackendMessage } from "../wire/backend.ts";
import type { FrontendMessage } from "../wire/frontend.ts";
import type { ColumnDescription } from "../wire/query.ts";

/** The values of one row as PostgreSQL writes them in text; null for NULL. */
export type RowValues = readonly (string | null)[];

/** What one statement of a query gave. */
export interface QueryResult {
  /** The columns of its rows; empty for statements without rows. */
  readonly columns: readonly ColumnDescription[];
  /** Its rows. */
  readonly rows: readonly RowValues[];
  /** The command tag, for example "SELECT 1"; empty for an empty query. */
  readonly command: string;
}

/** Takes what a query gives, as it comes. */
export interface ResultSink {
  /** A row, as wide as `columns`. */
  row(columns: readonly ColumnDescription[], values: RowValues): void;
  /** The end of a statement. */
  statement(columns: readonly ColumnDescription[], command: string): void;
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

const NO_COLUMNS: readonly ColumnDescription[] = [];

/**
 * One simple query (PostgreSQL manual, 54.2.2), message by message. Knows neither sockets nor time. COPY is refused
 * in its own terms, so that the session stays usable.
 */
export class SimpleQuery {
  readonly #sink: ResultSink;
  #columns: readonly ColumnDescription[] = NO_COLUMNS;
  #error: PgHandshakeError | undefined;

  /** @param sink Takes rows and ends of statements. */
  constructor(sink: ResultSink) {
    this.#sink = sink;
  }

  /** The first error so far: why the query failed, or what the server said before it went away. */
  get error(): PgHandshakeError | undefined {
    return this.#error;
  }

  /**
   * Takes the next message.
   *
   * @throws {ProtocolError} If it has no place in a simple query; the session is of no use then.
   */
  onMessage(message: BackendMessage): QueryStep {
    switch (message.type) {
      case "RowDescription":
        this.#columns = message.columns;
        return READ;
      case "DataRow":
        if (message.values.length !== this.#columns.length) {
          throw new ProtocolError(
            `Cannot take a DataRow of ${message.values.length} values: RowDescription announced ${this.#columns.length}`,
            { phase: "ready" },
          );
        }
        this.#sink.row(this.#columns, message.values);
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

  #finishStatement(command: string): void {
    this.#sink.statement(this.#columns, command);
    this.#columns = NO_COLUMNS;
  }

  #refuseCopy(): void {
    this.#error ??= new UsageError("Cannot run COPY with query(): it takes text results only", {
      phase: "ready",
      hint: "detach() hands the session to a driver that speaks COPY",
    });
  }
}

/** Keeps everything a query gives. */
export class Collector implements ResultSink {
  /** One result a statement. */
  readonly results: QueryResult[] = [];
  #columns: readonly ColumnDescription[] = NO_COLUMNS;
  #rows: RowValues[] = [];

  row(columns: readonly ColumnDescription[], values: RowValues): void {
    this.#begin(columns);
    this.#rows.push(values);
  }

  statement(columns: readonly ColumnDescription[], command: string): void {
    this.#begin(columns);
    this.results.push({ columns, rows: this.#rows, command });
    this.#begin(NO_COLUMNS);
    this.#rows = [];
  }

  /** A statement that describes its rows a second time begins anew; no server known does. */
  #begin(columns: readonly ColumnDescription[]): void {
    if (this.#columns === columns) return;
    this.#columns = columns;
    this.#rows = [];
  }
}
