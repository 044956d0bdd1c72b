import { periodicCacheTimes } from './cache-times.ts';
import type { Resolve } from './route-content.ts';
import { facilitiesOf, INDUSTRY_CACHE_MS, industryBody } from './industry.ts';
import { cached } from './universe-routes.ts';

/** `/industry/systems` */
export const industrySystems: Resolve = ({ world }) => {
  const list = world.industry.list();
  const { lastModified, expires, version } = list;
  return { status: 200, body: industryBody(list), lastModified, expires, version: `industry.${version}` };
};

/** `/industry/facilities` */
export const industryFacilities: Resolve = ({ world, now }) => {
  const times = periodicCacheTimes(now, INDUSTRY_CACHE_MS);
  const body = cached(world, 'facilities', () => facilitiesOf(world.universe, world.seed));
  const version = `facilities.${world.staticVersion}.${times.lastModified.getTime()}`;
  return { status: 200, body, ...times, version };
};
