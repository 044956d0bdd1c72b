import { DAY_MS } from '../cache-times.ts';
import { isoSeconds } from '../order-maker.ts';
import { between, createRandom, mixSeed, pick, type Random } from '../random.ts';
import type { Catalog } from './catalog.ts';
import type { JobRow } from './owner-rows.ts';

/** A number of 2026. */
const FIRST_JOB = 651_000_000;

const JOBS_AN_OWNER = 100_000;

/** Below the items of owners. */
const FIRST_BLUEPRINT = 1_039_000_000_000;

/** ESI lists completed jobs for 90 days. */
const COMPLETED_MS = 90 * DAY_MS;

/** The number of delivered jobs at the start, as a share of the open ones. */
const DONE_SHARE = 0.5;

const OPEN = new Set(['active', 'paused', 'ready']);
const ACTIVITIES = [1, 3, 4, 5, 8, 9]; // manufacturing, both researches, copying, invention, reactions

/** The owner of jobs. */
export interface JobOwner {
  id: number;
  slot: number;
  isCorporation: boolean;
  installers: readonly number[];
}

/** The industry jobs of one owner. */
export class Jobs {
  readonly list: JobRow[] = [];
  readonly #random: Random;
  readonly #catalog: Catalog;
  readonly #owner: JobOwner;
  #nextId: number;

  constructor(catalog: Catalog, owner: JobOwner, count: number, seed: number, now: number) {
    this.#catalog = catalog;
    this.#owner = owner;
    this.#random = createRandom(mixSeed(mixSeed(seed, 22), owner.id));
    this.#nextId = FIRST_JOB + owner.slot * JOBS_AN_OWNER;
    const day = Math.floor(now / DAY_MS) * DAY_MS; // two worlds of one day are alike
    for (let index = 0; index < count; index++) {
      // Started at most a day ago and three days long, so that none is finished today; every eighth is paused.
      const job = this.start(day - between(this.#random, 3_600, 86_400) * 1_000, { duration: 3 * 86_400 });
      if (index % 8 === 7) this.change(job.job_id, { status: 'paused', pause_date: isoSeconds(day) });
    }
    for (let left = Math.floor(count * DONE_SHARE); left > 0; left--) {
      const start = day - between(this.#random, 5, 80) * DAY_MS;
      this.deliver(this.start(start, { duration: 86_400 }).job_id, start + 2 * DAY_MS);
    }
  }

  start(now: number, partial: Partial<JobRow> = {}): JobRow {
    const random = this.#random;
    const { id, isCorporation, installers } = this.#owner;
    const duration = partial.duration ?? between(random, 3_600, 7 * 86_400); // an hour to a week
    const place = pick(random, [...this.#catalog.structures, ...this.#catalog.stations.slice(0, 3)]);
    const activity_id = partial.activity_id ?? pick(random, ACTIVITIES);
    const row: JobRow = {
      activity_id,
      blueprint_id: FIRST_BLUEPRINT + between(random, 1, 999_999_999),
      blueprint_location_id: place,
      blueprint_type_id: pick(random, this.#catalog.marketTypes),
      cost: between(random, 100_000, 900_000_000) / 100,
      duration,
      end_date: isoSeconds(now + duration * 1_000),
      facility_id: place,
      installer_id: installers.length > 0 ? pick(random, installers) : id,
      job_id: (this.#nextId += between(random, 1, 9)),
      licensed_runs: between(random, 1, 300),
      ...(isCorporation ? { location_id: place } : {}),
      output_location_id: place,
      ...(activity_id === 8 ? { probability: 0.34 } : {}),
      product_type_id: pick(random, this.#catalog.marketTypes),
      runs: between(random, 1, 40),
      start_date: isoSeconds(now),
      ...(isCorporation ? {} : { station_id: place }),
      status: 'active',
      ...partial,
    };
    this.list.push(row);
    return row;
  }

  change(jobId: number, patch: Partial<JobRow>): JobRow {
    const index = this.list.findIndex((row) => row.job_id === jobId);
    const row = this.list[index];
    if (!row) throw new Error(`The owner has no job ${jobId}.`);
    return (this.list[index] = { ...row, ...patch });
  }

  deliver(jobId: number, now: number): JobRow {
    const { runs, installer_id } = this.change(jobId, {});
    const completed = { completed_character_id: installer_id, completed_date: isoSeconds(now) };
    return this.change(jobId, { status: 'delivered', successful_runs: runs, ...completed });
  }

  /** Removes a job as if it had never existed. */
  forget(jobId: number): void {
    this.change(jobId, {});
    this.list.splice(
      this.list.findIndex((row) => row.job_id === jobId),
      1,
    );
  }

  /** The jobs that ESI lists: the open ones, and on request those completed within 90 days. */
  listAt(now: number, withCompleted: boolean): JobRow[] {
    const oldest = isoSeconds(now - COMPLETED_MS);
    for (const [index, row] of this.list.entries())
      if (row.status === 'active' && row.end_date <= isoSeconds(now))
        this.list[index] = { ...row, status: 'ready' };
    return this.list.filter(
      (row) => OPEN.has(row.status) || (withCompleted && (row.completed_date ?? row.end_date) >= oldest),
    );
  }
}
