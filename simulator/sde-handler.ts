import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { sameTag } from './body.ts';
import type { Call } from './call.ts';
import type { Engine } from './esi-handler.ts';
import { breaking } from './faults.ts';
import { sendFlood, sendHead, sendPart, sendStatus, sendText } from './respond.ts';
import { sdeArchive, sdeHeader } from './sde.ts';
import type { World } from './world.ts';

/** Where the static data lives on this server. */
export const SDE_PREFIX = '/static-data';

interface File {
  data: Buffer;
  etag: string;
}

/** The files of a world's current build: the archive takes a second to make, so it is kept. */
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

/** Answers a call for static data; true when a fault has answered (or will not). */
async function spoil(engine: Engine, call: Call, response: ServerResponse, data: Buffer): Promise<boolean> {
  const fault = breaking(engine.box, call);
  if (!fault) return false;
  if (fault.kind === 'reset') response.socket?.destroy();
  else if (fault.kind === 'status') sendStatus(response, fault, {});
  else if (fault.kind === 'body') sendText(response, 200, fault.text, { 'Content-Type': fault.contentType });
  else if (fault.kind === 'oversize') await sendFlood(response, fault.bytes, {});
  else if (fault.kind === 'resetMidway') await sendHead(response, data.length, {});
  else if (fault.kind === 'truncate') sendPart(response, data, {});
  return true;
}

/** Answers `latest.jsonl` and the archive of the current build. */
export async function handleSde(engine: Engine, call: Call, response: ServerResponse): Promise<void> {
  const name = call.pathname.slice(`${SDE_PREFIX}/tranquility/`.length);
  const file = call.header('user-agent') ? fileOf(engine.world, name) : undefined; // 404 to callers without a name
  if (await spoil(engine, call, response, file?.data ?? Buffer.alloc(0))) return;
  if (!file) {
    sendText(response, 404, 'Not Found', { 'Content-Type': 'text/plain' });
    return;
  }
  const headers = {
    Date: new Date(engine.clock.now()).toUTCString(),
    'Content-Type': name.endsWith('.zip') ? 'application/zip' : 'application/jsonl',
    'Cache-Control': 'public, max-age=300', // files that are not of one build are kept five minutes
    ETag: file.etag,
    'Last-Modified': new Date(engine.world.buildDate).toUTCString(),
  };
  const given = call.header('if-none-match');
  if (given !== undefined && sameTag(given, file.etag)) {
    response.writeHead(304, headers).end();
    return;
  }
  response.writeHead(200, { ...headers, 'Content-Length': String(file.data.length) });
  response.end(call.method === 'HEAD' ? undefined : file.data);
}
