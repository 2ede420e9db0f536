import { ConnectionError } from "../errors.ts";
import type { BackendMessage } from "../wire/backend.ts";
import { encodeFrontend } from "../wire/frontend.ts";
import type { MessageStream } from "./message_stream.ts";
import { Collector, type QueryResult, SimpleQuery } from "./simple_query.ts";

/** What a query ends with when the session goes on: its results or its error, and the state of the transaction. */
export interface QueryEnd {
  /** The results; throws if a statement failed. */
  results(): readonly QueryResult[];
  readonly status: "I" | "T" | "E";
}

/** A query that can be sent. */
export interface EncodedQuery {
  readonly text: string;
  readonly octets: Uint8Array;
}

/**
 * Makes a query ready to be sent, so that one that cannot be costs nothing but its error.
 *
 * @throws {UsageError} If the text holds a zero octet or half a surrogate pair.
 */
export function encodeQuery(text: string): EncodedQuery {
  return { text, octets: encodeFrontend({ type: "Query", text }) };
}

/**
 * Runs one simple query over messages that nobody else reads, up to ReadyForQuery.
 *
 * @param stream The messages.
 * @param encoded The statements.
 * @param isAsynchronous Takes messages that may come at any time, and says whether it took one.
 * @throws {ServerError} The server's last word, if it ended the session instead of answering.
 * @throws {ConnectionError} If it ended without a word. After either the session is of no use.
 */
export async function runQuery(
  stream: MessageStream,
  encoded: EncodedQuery,
  isAsynchronous: (message: BackendMessage) => boolean,
): Promise<QueryEnd> {
  const { text, octets } = encoded;
  const collector = new Collector();
  const query = new SimpleQuery(collector);
  const results = (): readonly QueryResult[] => {
    if (query.error !== undefined) throw query.error;
    return collector.results;
  };
  const complete = async (): Promise<QueryEnd> => {
    for (;;) {
      const message = await stream.next();
      if (isAsynchronous(message)) continue;
      const step = query.onMessage(message);
      if (step.do === "finish") return { results, status: step.status };
      if (step.do === "send") await stream.send(step.message);
    }
  };
  try {
    try {
      await stream.send({ type: "Query", text }, octets);
    } catch (failure) {
      // A server that ended the session may have done so before: its last word is still to be read.
      await complete();
      throw failure;
    }
    return await complete();
  } catch (error) {
    throw error instanceof ConnectionError && query.error !== undefined ? query.error : error;
  }
}
