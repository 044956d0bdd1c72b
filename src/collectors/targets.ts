import { AppError } from '../lib/errors.ts';
import { escapeInvisible } from '../lib/text.ts';

/** Kinds of target, with the path parameter that a target's id fills. */
export const TARGET_KINDS = {
  region: 'region_id',
  character: 'character_id',
  corporation: 'corporation_id',
  structure: 'structure_id',
} as const;
export type TargetKind = keyof typeof TARGET_KINDS;

/** A parsed target such as `region/10000002`. `column` is the path parameter and table column that the id fills. */
export interface Target {
  readonly kind: TargetKind;
  readonly id: number;
  readonly column: (typeof TARGET_KINDS)[TargetKind];
}

/** Kinds of owner of personal and corporate data. */
export type OwnerKind = 'character' | 'corporation';

/** The wallet divisions of a corporation. */
export const DIVISIONS = [1, 2, 3, 4, 5, 6, 7] as const;

const EXAMPLES: Readonly<Record<TargetKind, number>> = {
  region: 10_000_002,
  character: 90_000_001,
  corporation: 98_000_001,
  structure: 1_035_466_617_946,
};

/** Parses `kind/id`. Throws AppError BAD_TARGET when the text is not a target of this kind. */
export function parseTarget(text: string, kind: TargetKind): Target {
  const id = Number(text.slice(kind.length + 1));
  // The text has to be canonical, because it is part of the workflow id that keeps runs of one target apart.
  if (!Number.isSafeInteger(id) || id < 1 || text !== `${kind}/${id}`) {
    throw new AppError(
      `Invalid target "${escapeInvisible(text)}". Use ${kind}/ID, for example ${kind}/${EXAMPLES[kind]}.`,
      {
        code: 'BAD_TARGET',
        verdict: 'fail',
      },
    );
  }
  return { kind, id, column: TARGET_KINDS[kind] };
}
