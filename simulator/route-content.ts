import { packJson, type Body } from './packed-body.ts';
import type { Call } from './esi-call.ts';
import type { ActiveFaults } from './faults.ts';
import type { Owners } from './owners/owners.ts';
import type { World } from './world.ts';

/** What a route answers, before conditions, limits and headers are applied. */
export interface Content {
  status: number;
  body: Body;
  lastModified?: Date;
  expires?: Date;
  pages?: number;
  /** Identifies this state of the content. */
  version: string;
  /** A fault has changed it. */
  damaged?: boolean;
  /** What the refusal is about, if it will not change by itself: the role is missing, or the token is revoked. */
  permanentRefusal?: 'role' | 'token';
}

/** What a route may use. */
export interface RouteContext {
  world: World;
  activeFaults: ActiveFaults;
  now: number;
  owners: Owners;
}

/** Answers a call. `id` is the first number in its path, `part` the second one, for example a wallet division. */
export type Resolve = (context: RouteContext, call: Call, id: number, part: number) => Content;

const errors = new Map<string, Body>();

/** An error in ESI's format. */
export function errorContent(status: number, text: string, version = ''): Content {
  const body = errors.get(text) ?? packJson({ error: text });
  errors.set(text, body);
  return { status, body, version };
}

/** The answer to a page after the last one. */
export function pageNotFound(pages: number, version: string): Content {
  return { ...errorContent(404, 'Requested page does not exist!', version), pages };
}

/** The page requested; undefined when it is not a positive number. */
export function requestedPage(call: Call): number | undefined {
  const text = call.query.get('page');
  if (text === null) return 1;
  const page = Number(text);
  return Number.isSafeInteger(page) && page > 0 ? page : undefined;
}
