/**
 * The run-time settings in a text for `options`, as a server takes it apart: words end at blanks, a backslash takes
 * the next character as it is, and a setting is `-c name=value` or `--name=value` with dashes for underscores
 * (postinit.c, pg_split_opts; postgres.c, process_postgres_switches). What is no setting is left out.
 */
export function settingsInOptions(
  text: string,
): readonly (readonly [name: string, value: string])[] {
  const words = wordsOf(text);
  const settings: (readonly [string, string])[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    let setting: string;
    if (word === "-c") setting = words[++at] ?? "";
    else if (word.startsWith("-c")) setting = word.slice(2);
    else if (word.startsWith("--")) setting = word.slice(2);
    else continue;
    const equals = setting.indexOf("=");
    if (equals > 0) {
      settings.push([setting.slice(0, equals).replaceAll("-", "_"), setting.slice(equals + 1)]);
    }
  }
  return settings;
}

function wordsOf(text: string): readonly string[] {
  const words = text.match(/(?:\\[\s\S]|[^\s\\])+/g) ?? [];
  return words.map((word) => word.replace(/\\([\s\S])/g, "$1"));
}
