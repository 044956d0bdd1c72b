import type { Resolve } from './route-content.ts';
import type { DescribedRoute } from './openapi-route.ts';

export interface Route extends DescribedRoute {
  /** Whether the route has a limit in the game server, which no header announces. */
  hidden?: true;
  resolve: Resolve;
}
