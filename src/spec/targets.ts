import { AppError } from '../kernel/errors.ts';

/** Kinds of target, with the path parameter that a target's id fills. */
export const TARGET_KINDS = { region: 'region_id' } as const;
export type TargetKind = keyof typeof TARGET_KINDS;

/** `region/10000002` taken apart. `column` is the path parameter and the column that the id fills. */
export interface Target {
  readonly kind: TargetKind;
  readonly id: number;
  readonly column: (typeof TARGET_KINDS)[TargetKind];
}

/** Throws AppError BAD_TARGET when `text` is not `kind/id` of the wanted kind. */
export function parseTarget(text: string, kind: TargetKind): Target {
  const [head, tail = ''] = text.split('/');
  const id = Number(tail);
  if (head !== kind || !/^\d+$/.test(tail) || !Number.isSafeInteger(id) || id === 0) {
    throw new AppError(`"${text}" is no target here: write ${kind}/ID, for example region/10000002.`, {
      code: 'BAD_TARGET',
      verdict: 'fail',
    });
  }
  return { kind, id, column: TARGET_KINDS[kind] };
}
