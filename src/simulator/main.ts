import { fstatSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { startSimulator, type SimulatorOptions } from './index.ts';

/**
 * The simulator as a process of its own, for benches: prints one line of JSON when it is ready, and ends on SIGTERM,
 * SIGINT, or when the pipe on its standard input closes.
 *
 * `--orders N` is a single region (The Forge, or `--region ID`); `--regions ID=N,ID=N` are several.
 */
const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
    orders: { type: 'string' },
    region: { type: 'string', default: '10000002' }, // The Forge
    regions: { type: 'string' },
    latency: { type: 'string', default: '0' },
    churn: { type: 'string' },
    cache: { type: 'string' },
    universe: { type: 'string', default: 'small' },
    'hidden-limit': { type: 'string' },
    'no-limits': { type: 'boolean', default: false },
    warm: { type: 'boolean', default: false },
  },
});

function number(name: string, text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0)
    throw new Error(`--${name}: not a number: ${text}`);
  return value;
}

function regions(): SimulatorOptions['regions'] {
  if (values.orders !== undefined) {
    return { [number('region', values.region)]: number('orders', values.orders) };
  }
  if (values.regions === undefined) return undefined;
  const pairs = values.regions.split(',').map((pair) => pair.split('='));
  return Object.fromEntries(
    pairs.map(([id = '', count = '']) => [number('regions', id), number('regions', count)]),
  );
}

function options(): SimulatorOptions {
  const wanted = regions();
  return {
    port: number('port', values.port),
    seed: number('seed', values.seed),
    latencyMs: number('latency', values.latency),
    universe: values.universe === 'full' ? 'full' : 'small',
    enforceLimits: !values['no-limits'],
    ...(wanted ? { regions: wanted } : {}),
    ...(values.churn === undefined ? {} : { churn: number('churn', values.churn) }),
    ...(values['hidden-limit'] === undefined
      ? {}
      : { hiddenLimit: number('hidden-limit', values['hidden-limit']) }),
    ...(values.cache === undefined ? {} : { cacheSeconds: number('cache', values.cache) }),
  };
}

/** A terminal or /dev/null says nothing about the parent; a pipe or a socket does. */
function isPiped(): boolean {
  const input = fstatSync(0);
  return input.isFIFO() || input.isSocket();
}

const simulator = await startSimulator(options());
if (values.warm) simulator.world.warm();
let stopping = false;
const stop = () => {
  if (stopping) return;
  stopping = true;
  process.stdin.destroy();
  void simulator.close();
};
process.once('SIGTERM', stop).once('SIGINT', stop);
if (isPiped()) process.stdin.once('close', stop).once('end', stop).resume();
process.stdout.write(`${JSON.stringify({ url: simulator.url, sdeUrl: simulator.sdeUrl })}\n`);
