import { randomBytes } from 'node:crypto';
import { copyFile, constants, link, mkdir, open, rm } from 'node:fs/promises';
import path from 'node:path';
import { AppError } from '../lib/errors.ts';
import { hideSecret } from '../lib/redact.ts';
import { KEY_BYTES } from './cipher.ts';

export interface KeySources {
  /** TOKEN_ENCRYPTION_KEY: keys of 32 bytes in base64, separated by commas. The first encrypts. */
  readonly setting: string | undefined;
  /** DATA_DIR, where a key is generated once when the setting is missing. */
  readonly dataDir: string;
}

/** Readable and writable for its owner only. */
const OWNER_ONLY = 0o600;

const KEY_FORMAT = `${KEY_BYTES} bytes in base64`;

const badKey = (message: string, cause?: unknown) =>
  new AppError(message, { code: 'BAD_KEY', verdict: 'fail', cause });

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code ?? '';

/** Parses a key; undefined when the text is not the canonical base64 of 32 bytes. */
function parseKey(text: string): Buffer | undefined {
  const key = Buffer.from(text, 'base64');
  return key.length === KEY_BYTES && key.toString('base64') === text ? key : undefined;
}

function parseKeys(setting: string): Buffer[] {
  return setting.split(',').map((text, index) => {
    const key = parseKey(text.trim());
    if (key) return key;
    throw badKey(
      `Key ${index + 1} of TOKEN_ENCRYPTION_KEY is not ${KEY_FORMAT}. Create one with "openssl rand -base64 32"; ` +
        'separate several by commas, the newest first.',
    );
  });
}

/** Reads the key in a file; undefined when there is no file. A file that others may read is closed to them. */
async function readKey(file: string): Promise<Buffer | undefined> {
  let handle;
  try {
    handle = await open(file, 'r');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw badKey(
      `Cannot read the key file ${file} (${codeOf(error)}). Make it readable for this user.`,
      error,
    );
  }
  try {
    // Windows has no such modes and reports 0666 for every file.
    const isOpen = process.platform !== 'win32' && ((await handle.stat()).mode & ~OWNER_ONLY & 0o777) !== 0;
    if (isOpen) await handle.chmod(OWNER_ONLY);
    const key = parseKey((await handle.readFile('utf8')).trim());
    if (key) return key;
  } catch (error) {
    throw badKey(
      `Cannot read the key file ${file} and close it to others (${codeOf(error)}). It must be a file of this user.`,
      error,
    );
  } finally {
    await handle.close();
  }
  throw badKey(
    `The key file ${file} does not contain ${KEY_FORMAT}. Restore the original file; without it the stored tokens ` +
      'cannot be decrypted. If there are none yet, or all characters can be logged in again, delete the file.',
  );
}

/** Forces a file or folder to disk. Tokens encrypted with a key that a power cut destroyed would be lost. */
async function sync(at: string): Promise<void> {
  const handle = await open(at, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Creates a key file unless another process was first. The file appears complete or not at all. */
async function createKey(file: string): Promise<void> {
  const folder = path.dirname(file);
  const draft = `${file}.${process.pid}.${randomBytes(6).toString('hex')}`;
  try {
    await mkdir(folder, { recursive: true });
    const handle = await open(draft, 'wx', OWNER_ONLY);
    try {
      await handle.writeFile(`${randomBytes(KEY_BYTES).toString('base64')}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await publish(draft, file);
    await sync(folder).catch(() => undefined); // Windows cannot sync folders
  } catch (error) {
    throw badKey(
      `Cannot create a key for the tokens in ${folder} (${codeOf(error)}). Make it writable for this user, ` +
        `or set TOKEN_ENCRYPTION_KEY to ${KEY_FORMAT}.`,
      error,
    );
  } finally {
    await rm(draft, { force: true });
  }
}

/** Gives a draft its final name unless another process was first, whose key then counts. */
async function publish(draft: string, file: string): Promise<void> {
  try {
    await link(draft, file).catch((error: unknown) => {
      if (codeOf(error) === 'EEXIST') throw error;
      return copyFile(draft, file, constants.COPYFILE_EXCL); // for file systems without links, such as exFAT
    });
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
}

/**
 * Loads the keys that encrypt tokens, of which the first encrypts new ones: those of the setting, or else the one in
 * `DATA_DIR/token.key`, which is created if needed. Throws AppError BAD_KEY.
 */
export async function loadKeys(sources: KeySources): Promise<Buffer[]> {
  const keys = await readKeys(sources);
  for (const key of keys) hideSecret(key.toString('base64'));
  return keys;
}

async function readKeys({ setting, dataDir }: KeySources): Promise<Buffer[]> {
  if (setting !== undefined && setting.trim() !== '') return parseKeys(setting);
  const file = path.join(dataDir, 'token.key');
  const found = await readKey(file);
  if (found) return [found];
  await createKey(file);
  const created = await readKey(file);
  if (!created) throw badKey(`The key file ${file} was deleted right after its creation. Start again.`);
  return [created];
}
