import { packJson, type Body } from './packed-body.ts';
import type { Call } from './esi-call.ts';
import type { ActiveFaults } from './faults.ts';
import type { Owners } from './owners/owners.ts';
import type { World } from './world.ts';

/** What a route has to say, before conditions, limits and headers. */
export interface Content {
  status: number;
  body: Body;
  lastModified?: Date;
  expires?: Date;
  pages?: number;
  /** Names this state of the content. */
  version: string;
  /** A fault has spoilt it. */
  damaged?: boolean;
  /** A refusal that will not change by itself: the role is missing, or the token is revoked. */
  permanentRefusal?: 'role' | 'token';
}

/** What a route may look at. */
export interface RouteContext {
  world: World;
  activeFaults: ActiveFaults;
  now: number;
  owners: Owners;
}

/** Answers a call; `id` is the number in its path, `part` the second one, e.g. a wallet division. */
export type Resolve = (context: RouteContext, call: Call, id: number, part: number) => Content;

const errors = new Map<string, Body>();

/** An error as ESI writes it. */
export function errorContent(status: number, text: string, version = ''): Content {
  const body = errors.get(text) ?? packJson({ error: text });
  errors.set(text, body);
  return { status, body, version };
}

/** The answer to a page past the last. */
export function pageNotFound(pages: number, version: string): Content {
  return { ...errorContent(404, 'Requested page does not exist!', version), pages };
}

/** The page asked for, or undefined when the number is none. */
export function requestedPage(call: Call): number | undefined {
  const text = call.query.get('page');
  if (text === null) return 1;
  const page = Number(text);
  return Number.isSafeInteger(page) && page > 0 ? page : undefined;
}
