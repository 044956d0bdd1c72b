import { logInDirector, targetOf } from './asset-owner.ts';
import { answerParent, peakMemory } from './child.ts';
import type { CorporationOrder, CorporationRun } from './corporation-assets.ts';
import { benchClock, benchEngine } from './engine.ts';
import { direct, throughTemporal } from './paths.ts';
import { timed } from './report.ts';
import { controlOf } from './servers.ts';

/** One run in the process whose memory is measured. */
async function run(order: CorporationOrder): Promise<CorporationRun> {
  const { temporal, later } = order;
  const clock = benchClock();
  clock.advance(later);
  const engine = benchEngine({ ...order, clock });
  try {
    await logInDirector(engine.context, controlOf(order.esiUrl));
    const path = temporal === undefined ? direct : throughTemporal(temporal);
    const { seconds, result } = await path.use(engine.context, 'assets', (collect) =>
      timed(() => collect(targetOf('corporation'))),
    );
    const { outcome, inserted = 0, changed = 0, removed = 0, detail = '' } = result;
    if (outcome !== 'published' && outcome !== 'unchanged')
      throw new Error(`a run ended as ${outcome} ${detail}`);
    return { seconds, rows: inserted + changed + removed, peakMb: await peakMemory() };
  } finally {
    await engine.close();
  }
}

answerParent(run);
