/** What became of a mutant. One that nothing executes is as bad as one that survived. */
export type MutantEnd = 'killed' | 'timeout' | 'survived' | 'not covered';

export interface TestedMutant {
  readonly file: string;
  readonly line: number;
  readonly kind: string;
  readonly original: string;
  readonly replacement: string;
  readonly result: MutantEnd;
}

interface Counts {
  killed: number;
  survived: number;
}

/** A mutant that ends in a loop is noticed as well. */
const isKilled = ({ result }: TestedMutant) => result === 'killed' || result === 'timeout';

const percent = ({ killed, survived }: Counts) => `${((100 * killed) / (killed + survived)).toFixed(1)} %`;

/** The report of tested mutants, for people and as it is stored. */
export function formatReport(
  tested: readonly TestedMutant[],
  options: Readonly<Record<string, string | null>>,
): { readonly text: string; readonly json: object } {
  const files = new Map<string, Counts>();
  const total: Counts = { killed: 0, survived: 0 };
  for (const mutant of tested) {
    const counts = files.get(mutant.file) ?? { killed: 0, survived: 0 };
    files.set(mutant.file, counts);
    for (const one of [counts, total]) one[isKilled(mutant) ? 'killed' : 'survived']++;
  }
  const sorted = [...files].toSorted(([a], [b]) => a.localeCompare(b));
  const survivors = tested.filter((mutant) => !isKilled(mutant));
  const lines = [
    ...sorted.map(([file, counts]) => `${file}: ${counts.killed} killed, ${counts.survived} survived`),
    ...survivors.map(
      ({ file, line, kind, original, replacement, result }) =>
        `${result}: ${file}:${line} ${kind}: ${original.trim()} -> ${replacement.trim()}`,
    ),
    `${total.killed} of ${tested.length} mutants killed: ${percent(total)}`,
  ];
  const json = { ...options, ...total, share: percent(total), files: Object.fromEntries(sorted), survivors };
  return { text: lines.join('\n'), json };
}
