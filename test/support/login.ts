import {
  startLogin,
  type Callback,
  finishLogin,
  type LoginReport,
} from '../../src/engine/owners/login-flow.ts';
import type { LoginChoice } from '../../simulator/index.ts';
import { AGENT, type TestEngine } from './engine.ts';

/** What EVE sends a person back with who was sent to `url`. */
export async function visit(
  { sim }: TestEngine,
  url: string,
  characterId: number,
  choice?: LoginChoice,
): Promise<Callback> {
  const address = sim.sso.loginUrl(url, characterId, choice);
  const answer = await fetch(address, { redirect: 'manual', headers: { 'user-agent': AGENT } });
  const query = new URL(answer.headers.get('location') ?? 'nothing:').searchParams;
  const value = (name: string) => query.get(name) ?? undefined;
  return { state: value('state'), code: value('code'), error: value('error') };
}

/** A login from its beginning to its end. */
export async function logInAtEve(
  engine: TestEngine,
  characterId: number,
  choice?: LoginChoice,
  collectors?: string[],
): Promise<LoginReport> {
  const { url } = await startLogin(engine.context, { collectors });
  return finishLogin(engine.context, await visit(engine, url, characterId, choice));
}
