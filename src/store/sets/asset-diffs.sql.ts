import { columnList, differ } from '../sql-fragments.ts';
import { isOfTarget, type SnapshotSpec } from './snapshot-spec.ts';

/** Attributes of an item besides its quantity and location. */
const STATE = ['type_id', 'location_type', 'location_flag', 'is_singleton', 'is_blueprint_copy'];
const POSITION = ['position_x', 'position_y', 'position_z'];

/**
 * Inserts a row per kind of change of each item in `diff`: $1 is the moment of the new snapshot, $2 that of the previous
 * one, $3 now. The first row of a change carries the item as it was, so that every earlier snapshot can be rebuilt.
 */
export function insertAssetDiffs(spec: SnapshotSpec): string {
  const [ownerColumn, ownerId] = spec.targetColumns[0]!;
  const attributes = [...STATE, 'name', ...POSITION];
  const old = attributes.map((column) => `old_${column}`);
  const before = attributes.map((column) => `CASE WHEN k.n = 1 THEN b."${column}" END`);
  const changed = (columns: readonly string[]) => differ(columns, 'b', 'd');
  return `INSERT INTO asset_diffs (${ownerColumn}, item_id, type_id, location_id, change_type, old_quantity, new_quantity,
           old_location_id, new_location_id, detected_at, previous_snapshot_at, current_snapshot_at, new_location_flag,
           new_name, valid_from, ${columnList(old)})
    SELECT ${ownerId}, d.item_id, d.type_id, d.location_id, k.kind, b.quantity, CASE WHEN NOT d.absent THEN d.quantity END,
           b.location_id, CASE WHEN NOT d.absent THEN d.location_id END, $3, $2, $1,
           CASE WHEN NOT d.absent THEN d.location_flag END, CASE WHEN NOT d.absent THEN d.name END,
           CASE WHEN k.n = 1 THEN b.${spec.versionedAt} END, ${before.join(', ')}
      FROM diff d
      LEFT JOIN ${spec.table} b ON d.known AND b.item_id = d.item_id AND ${isOfTarget(spec, 'b')}
     CROSS JOIN LATERAL unnest(CASE WHEN NOT d.known THEN ARRAY['ADDED'] WHEN d.absent THEN ARRAY['REMOVED'] ELSE
           array_remove(ARRAY[
             CASE WHEN ${changed(['quantity'])} THEN 'QUANTITY_CHANGED' END,
             CASE WHEN ${changed(['location_id'])} THEN 'LOCATION_CHANGED' END,
             CASE WHEN ${changed(STATE)} THEN 'STATE_CHANGED' END,
             CASE WHEN ${changed(['name'])} THEN 'NAME_CHANGED' END,
             CASE WHEN ${changed(POSITION)} THEN 'POSITION_CHANGED' END], NULL) END)
           WITH ORDINALITY AS k (kind, n)`;
}
