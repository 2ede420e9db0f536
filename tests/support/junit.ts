/** Reads the JUnit reports of Deno, Bun and Node into one form. */

/** One test as its runtime reported it. */
export interface TestResult {
  /** Suites, parent tests and the test itself, joined by " > ". */
  readonly title: string;
  /** As the runtime spells it; undefined where it does not tell. */
  readonly file: string | undefined;
  readonly outcome: "passed" | "failed" | "skipped";
  /** Why it was skipped, where the runtime tells; what was thrown, of a failure. */
  readonly detail: string;
}

interface Element {
  readonly tag: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: Element[];
  text: string;
}

/** A comment, a tag, or the text up to the next of them. Attribute values may hold ">". */
const TOKEN = /<!--[^]*?-->|<\?[^]*?\?>|<(\/?)([\w:-]+)((?:\s+[\w:-]+="[^"]*")*)\s*(\/?)>|[^<]+/g;

/**
 * The tests of a report: leaves only, neither suites nor tests that only hold others.
 *
 * @throws {Error} If the text is no such report.
 */
export function readJunit(xml: string): readonly TestResult[] {
  const found: TestResult[] = [];
  collect(parse(xml), [], found);
  // Deno reports tests that hold others as one more test; it fails with them.
  const parents = new Set(found.flatMap(({ title }) => {
    const parts = title.split(" > ");
    return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join(" > "));
  }));
  const isParent = (one: TestResult): boolean => parents.has(one.title);
  const onlyByChildren = (one: TestResult): boolean => /^\d+ test steps? failed/.test(one.detail);
  return found.filter((one) =>
    !isParent(one) || (one.outcome === "failed" && !onlyByChildren(one))
  );
}

function parse(xml: string): Element {
  const root: Element = { tag: "", attributes: {}, children: [], text: "" };
  const open: Element[] = [root];
  for (const [token, closing, tag, attributes = "", empty] of xml.matchAll(TOKEN)) {
    const parent = open.at(-1);
    if (parent === undefined) throw new Error("Cannot read the test report: a tag closes nothing");
    if (tag === undefined) {
      if (!token.startsWith("<")) parent.text += decode(token);
    } else if (closing === "/") {
      open.pop();
    } else {
      const element = { tag, attributes: readAttributes(attributes), children: [], text: "" };
      parent.children.push(element);
      if (empty !== "/") open.push(element);
    }
  }
  if (root.children.length === 0) throw new Error("Cannot read the test report: it is empty");
  return root;
}

function readAttributes(text: string): Readonly<Record<string, string>> {
  const pairs = [...text.matchAll(/([\w:-]+)="([^"]*)"/g)];
  return Object.fromEntries(pairs.map(([, name = "", value = ""]) => [name, decode(value)]));
}

const ENTITIES: Readonly<Record<string, string>> = {
  lt: "<",
  gt: ">",
  amp: "&",
  quot: '"',
  apos: "'",
};

function decode(text: string): string {
  return text.replaceAll(/&(#x?[0-9a-f]+|\w+);/gi, (whole, name: string) => {
    if (!name.startsWith("#")) return ENTITIES[name] ?? whole;
    const hex = name[1] === "x" || name[1] === "X";
    return String.fromCodePoint(hex ? parseInt(name.slice(2), 16) : Number(name.slice(1)));
  });
}

/** Bun's and Deno's outermost suites are files, Node's are tests with others in them. */
function collect(element: Element, path: readonly string[], found: TestResult[]): void {
  for (const child of element.children) {
    const { file, classname } = child.attributes;
    // Node 20 escapes quotes twice.
    const name = (child.attributes["name"] ?? "").replaceAll("&quot;", '"');
    if (child.tag === "testcase") {
      found.push(asResult(child, [...path, name].join(" > "), file ?? classname));
    } else {
      const isFile = child.tag !== "testsuite" || /\.[jt]s$/.test(name);
      collect(child, isFile ? path : [...path, name], found);
    }
  }
}

function asResult(testcase: Element, title: string, file: string | undefined): TestResult {
  const of = (tag: string): Element | undefined => testcase.children.find((one) => one.tag === tag);
  const failure = of("failure") ?? of("error");
  const skipped = of("skipped");
  if (failure !== undefined) {
    const detail = failure.text.trim() === "" ? failure.attributes["message"] ?? "" : failure.text;
    return { title, file, outcome: "failed", detail };
  }
  if (skipped !== undefined) {
    return { title, file, outcome: "skipped", detail: skipped.attributes["message"] ?? "" };
  }
  return { title, file, outcome: "passed", detail: "" };
}
