import { logInDirector, targetOf } from './asset-owner.ts';
import { answerParent, peakMemory } from './measured-process.ts';
import type { CorporationInput, CorporationRun } from './measure-corporation-assets.ts';
import { benchClock, benchEngine } from './bench-engine.ts';
import { direct, throughTemporal } from './run-paths.ts';
import { timed } from './report.ts';
import { controlOf } from './bench-servers.ts';

/** Makes one run in the process whose memory is measured. */
async function run(input: CorporationInput): Promise<CorporationRun> {
  const { temporal, afterMs } = input;
  const clock = benchClock();
  clock.advance(afterMs);
  const engine = benchEngine({ ...input, clock });
  try {
    await logInDirector(engine.context, controlOf(input.esiUrl));
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
