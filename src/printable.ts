/** C0 controls, DEL, C1 controls, the characters that turn the direction of text around, and halves of characters. */
const UNPRINTABLE: RegExp =
  // deno-lint-ignore no-control-regex -- controls are what it looks for
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\p{Surrogate}]/gu;

/**
 * Text of somebody else (a server, a setting), made safe to print: control characters become visible escapes, so that neither a terminal nor
 * a log takes orders from a server.
 *
 * @param text What came.
 * @param options `keepLines` leaves line feeds and tabs alone; `max` cuts behind that many characters.
 */
export function printable(
  text: string,
  options: { readonly keepLines: boolean; readonly max: number | undefined },
): string {
  const cut = options.max !== undefined && text.length > options.max
    ? `${wholeCharacters(text.slice(0, options.max))} (cut: ${
      text.length - options.max
    } more characters)`
    : text;
  return cut.replace(
    UNPRINTABLE,
    (control) =>
      options.keepLines && (control === "\n" || control === "\t") ? control : escaped(control),
  );
}

/** A cut in the middle of a surrogate pair would leave half a character. */
function wholeCharacters(text: string): string {
  return text.isWellFormed() ? text : text.slice(0, -1);
}

function escaped(control: string): string {
  switch (control) {
    case "\n":
      return "\\n";
    case "\r":
      return "\\r";
    case "\t":
      return "\\t";
    default: {
      const code = control.charCodeAt(0);
      return code < 0x100
        ? `\\x${code.toString(16).padStart(2, "0")}`
        : `\\u${code.toString(16).padStart(4, "0")}`;
    }
  }
}
