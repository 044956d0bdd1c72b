import { readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Simulator, SimulatorMemory } from '../../simulator/index.ts';

/** Changes when an older simulator's memory cannot be used any more: the demo then begins anew. */
const FORMAT = 1;

const fileIn = (dataDir: string) => path.join(dataDir, 'simulator.json');

/** What the simulator of the last demo on this folder remembered; undefined at the first. */
export async function readMemory(dataDir: string): Promise<SimulatorMemory | undefined> {
  const text = await readFile(fileIn(dataDir), 'utf8').catch(() => 'null');
  const stored = JSON.parse(text) as { format: number; memory: SimulatorMemory } | null;
  return stored?.format === FORMAT ? stored.memory : undefined;
}

/** Stores what the simulator remembers, in one step. */
export async function writeMemory(dataDir: string, simulator: Simulator): Promise<void> {
  const file = fileIn(dataDir);
  const temporary = `${file}.${process.pid}`;
  await writeFile(temporary, JSON.stringify({ format: FORMAT, memory: simulator.remember() }), {
    mode: 0o600,
  });
  await rename(temporary, file);
}
