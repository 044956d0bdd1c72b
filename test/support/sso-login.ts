import {
  startLogin,
  type Callback,
  finishLogin,
  type LoginReport,
} from '../../src/engine/owners/login-flow.ts';
import type { LoginChoice } from '../../simulator/index.ts';
import type { TestEngine } from './test-engine.ts';
import { TEST_USER_AGENT } from './test-user-agent.ts';

/** Authorizes a character at the authorize page `url` and returns the parameters of EVE's redirect. */
export async function authorizeAtSso(
  { sim }: TestEngine,
  url: string,
  characterId: number,
  choice?: LoginChoice,
): Promise<Callback> {
  const address = sim.sso.loginUrl(url, characterId, choice);
  const answer = await fetch(address, { redirect: 'manual', headers: { 'user-agent': TEST_USER_AGENT } });
  const query = new URL(answer.headers.get('location') ?? 'nothing:').searchParams;
  const value = (name: string) => query.get(name) ?? undefined;
  return { state: value('state'), code: value('code'), error: value('error') };
}

/** Logs a character in through the simulated SSO, as a person with a browser does. */
export async function logInThroughSso(
  engine: TestEngine,
  characterId: number,
  choice?: LoginChoice,
  collectors?: string[],
): Promise<LoginReport> {
  const { url } = await startLogin(engine.context, { collectors });
  return finishLogin(engine.context, await authorizeAtSso(engine, url, characterId, choice));
}
