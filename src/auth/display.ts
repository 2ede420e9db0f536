/**
 * The most characters of a peer's text that go into one of our messages; a screenful is never
 * needed.
 */
const MAX_SHOWN = 64;

/**
 * Makes a text of the peer safe to print: printable ASCII stays, all else is escaped, and what is
 * too long is cut.
 *
 * Terminal escapes, line breaks, quotes and look-alike characters must not reach a log in the
 * peer's wording.
 *
 * @param text What the peer said.
 * @param maxCharacters Where to cut, in characters of the peer's text.
 */
export function showText(text: string, maxCharacters: number = MAX_SHOWN): string {
  let shown = "";
  let characters = 0;
  for (const character of text) {
    if (characters === maxCharacters) return `${shown}...`;
    characters += 1;
    const code = character.codePointAt(0) ?? 0;
    const plain = code >= 0x20 && code <= 0x7e && character !== '"' && character !== "\\";
    shown += plain ? character : `\\u{${code.toString(16)}}`;
  }
  return shown;
}

/**
 * Shows a list of the peer's texts, each quoted and escaped, and how many more there are.
 *
 * @param texts What the peer said.
 * @param maxTexts How many to show.
 */
export function showTexts(texts: readonly string[], maxTexts: number = 8): string {
  if (texts.length === 0) return "none";
  const shown = texts.slice(0, maxTexts).map((text) => `"${showText(text)}"`).join(", ");
  const more = texts.length - maxTexts;
  return more > 0 ? `${shown} and ${more} more` : shown;
}
