import { PgHandshakeError, type Phase } from "../errors.ts";
import type { NoticeFields } from "../wire/notice.ts";
import { printable } from "../printable.ts";

/** The most characters of one field that are kept of a server that has not proved who it is. */
const MAX_UNTRUSTED_TEXT = 2_000;

/**
 * The server said no: an ErrorResponse with every field by name.
 *
 * Control characters are shown escaped. Before ReadyForQuery fields are also cut to 2 000
 * characters, as anybody may have written them.
 */
export class ServerError extends PgHandshakeError {
  /** ERROR, FATAL or PANIC, untranslated where the server sends it so (9.6 and later). */
  readonly severity: string | undefined;
  /** The server's message alone; `message` may add advice to it. */
  readonly serverMessage: string;
  /** A longer explanation. */
  readonly detail: string | undefined;
  /** What the server suggests. */
  readonly hint: string | undefined;
  /** Where in the query text, counted in characters from 1. */
  readonly position: number | undefined;
  /** The context, such as a stack of functions. */
  readonly where: string | undefined;
  /** The schema it is about. */
  readonly schema: string | undefined;
  /** The table it is about. */
  readonly table: string | undefined;
  /** The column it is about. */
  readonly column: string | undefined;
  /** The data type it is about. */
  readonly dataType: string | undefined;
  /** The constraint it is about. */
  readonly constraint: string | undefined;
  /** All fields of the message as PostgreSQL names them, cleaned as above. */
  readonly fields: NoticeFields;

  /**
   * Makes an error of what the server sent.
   *
   * @param fields The fields of the ErrorResponse.
   * @param phase How far the connection had come.
   * @param advice What the reader may try, for errors whose text does not say it.
   */
  constructor(fields: NoticeFields, phase: Phase, advice?: string) {
    const clean = cleaned(fields, phase);
    const text = clean.message || "the server sent an error without a message";
    super("server-error", text, {
      phase,
      ...(advice === undefined ? {} : { hint: advice }),
      ...(isSqlState(clean.sqlState) ? { sqlState: clean.sqlState } : {}),
    });
    this.serverMessage = text;
    this.severity = clean.severityUntranslated ?? clean.severity;
    this.detail = clean.detail;
    this.hint = clean.hint;
    this.position = asPosition(clean.position);
    this.where = clean.where;
    this.schema = clean.schema;
    this.table = clean.table;
    this.column = clean.column;
    this.dataType = clean.dataType;
    this.constraint = clean.constraint;
    this.fields = clean;
  }
}

function cleaned(fields: NoticeFields, phase: Phase): NoticeFields {
  const trusted = phase === "ready";
  const entries = Object.entries(fields).map(([name, value]: [string, string]) => [
    name,
    printable(value, { keepLines: trusted, max: trusted ? undefined : MAX_UNTRUSTED_TEXT }),
  ]);
  return Object.fromEntries(entries) as NoticeFields;
}

function isSqlState(text: string | undefined): text is string {
  return text !== undefined && /^[0-9A-Z]{5}$/.test(text);
}

function asPosition(text: string | undefined): number | undefined {
  return text !== undefined && /^[0-9]{1,9}$/.test(text) ? Number(text) : undefined;
}
