/** Prints the sections of the demo; everything in them comes from what the clients reported. */
import { type DemoPorts, mistakes, sections, tracedTarget } from "./demo_cases.ts";
import { faint, heading, milliseconds, say, strong, table, wrap, wrapUri } from "./demo_print.ts";
import {
  type DemoTarget,
  type RefusalLine,
  type SessionLine,
  shownUri,
  type TraceLine,
} from "./demo_report.ts";
import type { ClientReport } from "./demo_run.ts";

/** Prints each way to connect as one runtime did it. */
export function showConnections(report: ClientReport, ports: DemoPorts, rounds: number): void {
  heading(`1. Connecting, on ${report.title}`);
  say(wrap(
    "Round trips: 1 for TCP, and the turns client-server-client that a recording proxy counted, " +
      `those of TLS among them. Time: the median of ${rounds} direct connects, from the call of ` +
      "connect() to the session. Adapter: what opened the socket.",
  ));
  for (const { title, parameters, targets } of sections(ports)) {
    say(`\n${strong(title)}`);
    say(wrapUri(`postgres://<role>:****@127.0.0.1:${ports.tls}/app?${parameters}`, "  "));
    const channels = targets.map(({ id }) => report.sessions.get(id)?.channel);
    for (const channel of new Set(channels)) {
      const count = channels.filter((one) => one === channel).length;
      say(`  channel of ${count === channels.length ? "all" : count}: ${channel ?? "FAILED"}`);
    }
    table(
      ["role", "method", "bound to the channel", "server", ">round trips", ">ms", "adapter"],
      targets.map((target) => sessionRow(target, report.sessions.get(target.id))),
    );
  }
}

function sessionRow(target: DemoTarget, line: SessionLine | undefined): readonly string[] {
  if (line === undefined) return [target.user, "FAILED, see the end"];
  return [
    target.user,
    line.method,
    line.bound ? "yes" : "no",
    line.serverVersion,
    String(line.roundTrips),
    milliseconds(line.ms),
    line.adapter,
  ];
}

/** Prints each mistake and what it ended in, word for word. */
export function showRefusals(report: ClientReport, ports: DemoPorts): void {
  heading("2. What it says when it refuses");
  for (const { title, target } of mistakes(ports)) {
    say(`\n${strong(title)}`);
    say(faint(wrapUri(shownUri(target), "  ")));
    const refusal = report.refusals.get(target.id);
    if (refusal === undefined) {
      say("  FAILED, see the end");
      continue;
    }
    const { name, code, sqlState, phase, message } = refusal;
    say(`  ${name}: code "${code}", SQLSTATE ${sqlState}, phase "${phase}"`);
    for (const line of message.split("\n")) say(wrap(line, "    "));
  }
}

const ARROWS: Readonly<Record<TraceLine["direction"], string>> = {
  sent: "-->",
  received: "<--",
  step: "   ",
};

/** Prints one connection message by message. */
export function showTrace(report: ClientReport, ports: DemoPorts): void {
  heading("3. One connection, message by message");
  say(faint(wrapUri(shownUri(tracedTarget(ports)), "  ")));
  say(faint("      ms  client     server"));
  const trace = folded(report.trace);
  for (const { at, direction, name, detail } of trace) {
    const what = direction === "step" ? `(${name})` : name;
    const start = `${milliseconds(at).padStart(8)}  ${ARROWS[direction]} `;
    say(wrap(detail === "" ? what : `${what}  ${detail}`, start, " ".repeat(16)));
  }
  if (trace.length === 0) say("  FAILED, see the end");
}

/** Parameters come by the dozen: the first of a row of them stands for all. */
function folded(trace: readonly TraceLine[]): readonly TraceLine[] {
  const lines: TraceLine[] = [];
  let group: TraceLine[] = [];
  const flush = (): void => {
    const [first] = group;
    if (first === undefined) return;
    const named = group.map(({ detail }) => detail.replace(/^name: (.*); value: /, "$1="));
    lines.push({ ...first, name: `${group.length} x ${first.name}`, detail: named.join(", ") });
    group = [];
  };
  for (const line of trace) {
    if (line.name === "ParameterStatus") group.push(line);
    else {
      flush();
      lines.push(line);
    }
  }
  flush();
  return lines;
}

/**
 * Prints all runtimes side by side, and compares them.
 *
 * @returns Whether every runtime negotiated and refused the same.
 */
export function showComparison(reports: readonly ClientReport[], ports: DemoPorts): boolean {
  heading(`4. ${reports.map(({ title }) => title).join(", ")}: side by side`);
  const ways = sections(ports).flatMap(({ short, targets }) =>
    targets.map(({ id, user }) => ({ id, user, short }))
  );
  table(
    ["role", "channel", ...reports.map(({ title }) => `>${title}, ms`), "negotiated"],
    ways.map(({ id, user, short }) => {
      const lines = reports.map(({ sessions }) => sessions.get(id));
      const times = lines.map((line) => line === undefined ? "FAILED" : milliseconds(line.ms));
      return [user, short, ...times, agree(lines.map(negotiated)) ? "the same" : "NOT the same"];
    }),
  );
  say();
  for (const { title, sessions } of reports) {
    const used = [...new Set([...sessions.values()].map(({ adapter }) => adapter))].sort();
    say(`${title} opened its sockets by: ${used.join(", ")}`);
  }
  const differing = [
    ...ways.filter(({ id }) => !agree(reports.map((one) => negotiated(one.sessions.get(id))))),
    ...mistakes(ports).map(({ target }) => target).filter(({ id }) =>
      !agree(reports.map((one) => refused(one.refusals.get(id))))
    ),
  ];
  for (const { id } of differing) showDifference(id, reports);
  showWording(reports, ports);
  const total = ways.length + mistakes(ports).length;
  say();
  say(strong(wrap(
    `${reports.length} runtimes, ${total} cases: ${total - differing.length} the same ` +
      "(of a session its method, binding, channel, server and round trips; of an error its class, " +
      "code, SQLSTATE and phase)" + (differing.length > 0 ? `, ${differing.length} DIFFERENT` : ""),
  )));
  return differing.length === 0;
}

/** A missing result agrees with nothing. */
function agree(results: readonly (string | undefined)[]): boolean {
  return new Set(results).size === 1 && !results.includes(undefined);
}

function negotiated(line: SessionLine | undefined): string | undefined {
  if (line === undefined) return undefined;
  const { method, bound, channel, serverVersion, roundTrips } = line;
  const binding = bound ? "bound" : "not bound";
  return `${method}, ${binding}, ${channel}, server ${serverVersion}, ${roundTrips} round trips`;
}

function refused(line: RefusalLine | undefined): string | undefined {
  if (line === undefined) return undefined;
  const { name, code, sqlState, phase } = line;
  return `${name}, code "${code}", SQLSTATE ${sqlState}, phase "${phase}"`;
}

function showDifference(id: string, reports: readonly ClientReport[]): void {
  say(`\nDIFFERENT: ${id}`);
  for (const { title, sessions, refusals } of reports) {
    const what = negotiated(sessions.get(id)) ?? refused(refusals.get(id)) ?? "FAILED";
    say(wrap(what, `  ${title}: `, "    "));
  }
}

/** Words may differ where they are those of a TLS library or of the system. */
function showWording(reports: readonly ClientReport[], ports: DemoPorts): void {
  for (const { title, target: { id } } of mistakes(ports)) {
    const words = reports.map(({ refusals }) => refusals.get(id)?.message);
    if (agree(words)) continue;
    say(`\nThe same in other words: ${title}`);
    reports.forEach((report, at) =>
      say(wrap(words[at] ?? "FAILED", `  ${report.title}: `, "    "))
    );
  }
}

/** Prints what should not have happened. */
export function showFailures(reports: readonly ClientReport[]): void {
  for (const { title, failures } of reports) {
    for (const { id, message } of failures) say(`\nFAILED on ${title}: ${id}\n${message}`);
  }
}
