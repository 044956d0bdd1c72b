import { fstatSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { startSimulator, type OwnerOptions, type SimulatorOptions } from './index.ts';
import { DIRECTOR_ROLES, FIRST_CHARACTER, FIRST_CORPORATION } from './owners/owner-options.ts';

/**
 * The simulator as a process, for benches. It prints one line of JSON when it is ready and ends on SIGTERM, SIGINT, or
 * when the pipe on its standard input closes.
 *
 * `--characters N --corporations N` make that many of each, with `--char-assets N` and `--corp-assets N` assets. The
 * characters are spread over the corporations, and the first one of each corporation is its director.
 *
 * `--orders N` makes a single region (The Forge, or `--region ID`); `--regions ID=N,ID=N` make several.
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
    characters: { type: 'string' },
    'char-assets': { type: 'string' },
    corporations: { type: 'string' },
    'corp-assets': { type: 'string' },
    'owner-cache': { type: 'string' },
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

/** Consecutive ids, with a number of assets if one is given. */
function many(count: number, first: number, assets: string | undefined, name: string) {
  const wanted = assets === undefined ? {} : { assets: number(name, assets) };
  return Array.from({ length: count }, (_, index) => ({ id: first + index, ...wanted }));
}

function owners(): OwnerOptions {
  const cache =
    values['owner-cache'] === undefined ? {} : { cacheSeconds: number('owner-cache', values['owner-cache']) };
  if (values.characters === undefined && values.corporations === undefined) return cache;
  const count = Math.max(1, number('corporations', values.corporations ?? '1'));
  const corporations = many(count, FIRST_CORPORATION, values['corp-assets'], 'corp-assets');
  const people = many(
    number('characters', values.characters ?? String(count)),
    FIRST_CHARACTER,
    values['char-assets'],
    'char-assets',
  );
  const characters = people.map((person, index) => ({
    ...person,
    corporationId: FIRST_CORPORATION + (index % count),
    roles: index < count ? [...DIRECTOR_ROLES] : [],
  }));
  return { ...cache, characters, corporations };
}

function options(): SimulatorOptions {
  const wanted = regions();
  return {
    port: number('port', values.port),
    seed: number('seed', values.seed),
    latencyMs: number('latency', values.latency),
    universe: values.universe === 'full' ? 'full' : 'small',
    enforceLimits: !values['no-limits'],
    owners: owners(),
    ...(wanted ? { regions: wanted } : {}),
    ...(values.churn === undefined ? {} : { churn: number('churn', values.churn) }),
    ...(values['hidden-limit'] === undefined
      ? {}
      : { hiddenLimit: number('hidden-limit', values['hidden-limit']) }),
    ...(values.cache === undefined ? {} : { cacheSeconds: number('cache', values.cache) }),
  };
}

/** Whether standard input belongs to the parent: a pipe or a socket does, a terminal or /dev/null does not. */
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
const { url, sdeUrl, ssoUrl } = simulator;
process.stdout.write(`${JSON.stringify({ url, sdeUrl, ssoUrl })}\n`);
