import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { matchesTag } from './packed-body.ts';
import type { Call } from './esi-call.ts';
import { takeAnswerFault } from './faults.ts';
import { sendFaultAnswer, sendText } from './send-answer.ts';
import type { SimulatorParts } from './simulator-parts.ts';
import { sdeArchive, sdeHeader } from './sde-archive.ts';
import type { World } from './world.ts';

/** The path of the static data on this server. */
export const SDE_PREFIX = '/static-data';

interface File {
  data: Buffer;
  etag: string;
}

/** The files of a world's current build. Making the archive takes a second, so it is kept. */
const made = new WeakMap<World, { version: number; files: Map<string, File> }>();

function fileOf(world: World, name: string): File | undefined {
  const archive = `eve-online-static-data-${world.build}-jsonl.zip`;
  if (name !== 'latest.jsonl' && name !== archive) return undefined;
  let known = made.get(world);
  if (known?.version !== world.staticVersion) {
    known = { version: world.staticVersion, files: new Map() };
    made.set(world, known);
  }
  let file = known.files.get(name);
  if (!file) {
    const data = name === archive ? sdeArchive(world) : Buffer.from(sdeHeader(world));
    file = { data, etag: `"${createHash('sha224').update(data).digest('hex')}"` };
    known.files.set(name, file);
  }
  return file;
}

/** Answers `latest.jsonl` and the archive of the current build. */
export async function handleSde(parts: SimulatorParts, call: Call, response: ServerResponse): Promise<void> {
  const name = call.pathname.slice(`${SDE_PREFIX}/tranquility/`.length);
  const file = call.header('user-agent') ? fileOf(parts.world, name) : undefined; // callers without a User-Agent get 404
  const fault = takeAnswerFault(parts.activeFaults, call);
  if (fault) {
    await sendFaultAnswer(response, fault, {}, () => ({ data: file?.data ?? Buffer.alloc(0), headers: {} }));
    return;
  }
  if (!file) {
    sendText(response, 404, 'Not Found', { 'Content-Type': 'text/plain' });
    return;
  }
  const headers = {
    Date: new Date(parts.clock.now()).toUTCString(),
    'Content-Type': name.endsWith('.zip') ? 'application/zip' : 'application/jsonl',
    'Cache-Control': 'public, max-age=300', // files that are not named after a build are cached for five minutes
    ETag: file.etag,
    'Last-Modified': new Date(parts.world.buildDate).toUTCString(),
  };
  const given = call.header('if-none-match');
  if (given !== undefined && matchesTag(given, file.etag)) {
    response.writeHead(304, headers).end();
    return;
  }
  response.writeHead(200, { ...headers, 'Content-Length': String(file.data.length) });
  response.end(call.method === 'HEAD' ? undefined : file.data);
}
