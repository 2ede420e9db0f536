/** How a server is started that must not outlive the process that started it. */
import type { Writable } from "node:stream";

/**
 * A shell script that becomes the program after leaving a watchdog behind, which reads from our pipe. A word there says
 * that the program has ended; the end of the pipe without it, that we are gone and the program is to end as well. The
 * folder is removed in any case. Process ids are used again, soon where thousands of sessions come and go, so the
 * watchdog signals only a process whose command line names the folder (where `/proc` tells), never whoever has the
 * number by now.
 *
 * Its arguments: the folder, the signal without SIG, the program and what the program is given.
 */
export const WATCHED_START = `
folder=$1; signal=$2; shift 2; exec 3<&0
(
  read word <&3; [ "$word" != ended ] || read _ <&3
  ours() { [ ! -r /proc/$$/cmdline ] || grep -qF "$folder" /proc/$$/cmdline; }
  if [ "$word" != ended ] && ours; then
    kill -s "$signal" $$
    while kill -0 $$ && ours; do sleep 0.05; done
  fi
  rm -rf "$folder"; rmdir "$(dirname "$folder")"
) >/dev/null 2>&1 &
exec "$@" </dev/null 3<&-`;

/** Tells the watchdog that its program has ended, so that all it has left to do is to remove the folder once the pipe ends. */
export function tellEnded(pipe: Writable | null): void {
  pipe?.write("ended\n");
}
