/** A whole number from 0 up to, and without, `below`, each as likely as any other. */
export type Chance = (below: number) => number;

/** A list in random order, each order as likely as any other (Fisher and Yates, as libpq does it). */
export function shuffled<T>(list: readonly T[], chance: Chance): readonly T[] {
  const mixed = [...list];
  for (let last = mixed.length - 1; last > 0; last--) {
    const other = chance(last + 1);
    [mixed[last], mixed[other]] = [mixed[other] as T, mixed[last] as T];
  }
  return mixed;
}
