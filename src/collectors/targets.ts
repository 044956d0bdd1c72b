import { AppError } from '../lib/errors.ts';

/** Kinds of target, with the path parameter that a target's id fills. */
export const TARGET_KINDS = {
  region: 'region_id',
  character: 'character_id',
  corporation: 'corporation_id',
  structure: 'structure_id',
} as const;
export type TargetKind = keyof typeof TARGET_KINDS;

/** `region/10000002` taken apart. `column` is the path parameter and the column that the id fills. */
export interface Target {
  readonly kind: TargetKind;
  readonly id: number;
  readonly column: (typeof TARGET_KINDS)[TargetKind];
}

/** Whose data it is, where it is somebody's. */
export type OwnerKind = 'character' | 'corporation';

/** Wallets of a corporation. */
export const DIVISIONS = [1, 2, 3, 4, 5, 6, 7] as const;

const EXAMPLES: Readonly<Record<TargetKind, number>> = {
  region: 10_000_002,
  character: 90_000_001,
  corporation: 98_000_001,
  structure: 1_035_466_617_946,
};

/** Throws AppError BAD_TARGET when `text` is not `kind/id` of the wanted kind. */
export function parseTarget(text: string, kind: TargetKind): Target {
  const id = Number(text.slice(kind.length + 1));
  // One owner has one name: runs are kept apart by it.
  if (!Number.isSafeInteger(id) || id < 1 || text !== `${kind}/${id}`) {
    throw new AppError(
      `"${text}" is no target here: write ${kind}/ID, for example ${kind}/${EXAMPLES[kind]}.`,
      {
        code: 'BAD_TARGET',
        verdict: 'fail',
      },
    );
  }
  return { kind, id, column: TARGET_KINDS[kind] };
}
