import type { Resolve } from './route-content.ts';
import type { DescribedRoute } from './openapi-route.ts';

/** A route of ESI. */
export interface Route extends DescribedRoute {
  /** It has a limit in the game server, which no header announces. */
  hidden?: true;
  resolve: Resolve;
}
