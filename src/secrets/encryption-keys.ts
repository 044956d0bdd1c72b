import { randomBytes } from 'node:crypto';
import { copyFile, constants, link, mkdir, open, rm } from 'node:fs/promises';
import path from 'node:path';
import { AppError } from '../lib/errors.ts';
import { KEY_BYTES } from './cipher.ts';

export interface KeySources {
  /** TOKEN_ENCRYPTION_KEY: keys of 32 bytes in base64, separated by commas; the first seals. */
  readonly setting: string | undefined;
  /** DATA_DIR: where a key is made once when the setting is not there. */
  readonly dataDir: string;
}

/** Its owner alone reads it. */
const OWNER_ONLY = 0o600;

const KEY_IN_WORDS = `${KEY_BYTES} bytes in base64`;

const badKey = (message: string, cause?: unknown) =>
  new AppError(message, { code: 'BAD_KEY', verdict: 'fail', cause });

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code ?? '';

/** A key from a text that base64 gives back as it was: half a key or a stray letter is no key. */
function parseKey(text: string): Buffer | undefined {
  const key = Buffer.from(text, 'base64');
  return key.length === KEY_BYTES && key.toString('base64') === text ? key : undefined;
}

function keysOf(setting: string): Buffer[] {
  return setting.split(',').map((text, index) => {
    const key = parseKey(text.trim());
    if (key) return key;
    throw badKey(
      `Key ${index + 1} of TOKEN_ENCRYPTION_KEY is not ${KEY_IN_WORDS}. "openssl rand -base64 32" makes one; ` +
        'several are separated by commas, the newest first.',
    );
  });
}

/** The key in the file, undefined when there is no file. A file that others may read is closed to them. */
async function readKey(file: string): Promise<Buffer | undefined> {
  let handle;
  try {
    handle = await open(file, 'r');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw badKey(`The key file ${file} cannot be read (${codeOf(error)}). Let this user read it.`, error);
  }
  try {
    // Windows keeps no such modes, and shows 0666 for every file.
    const wide = process.platform !== 'win32' && ((await handle.stat()).mode & ~OWNER_ONLY & 0o777) !== 0;
    if (wide) await handle.chmod(OWNER_ONLY);
    const key = parseKey((await handle.readFile('utf8')).trim());
    if (key) return key;
  } catch (error) {
    throw badKey(
      `The key file ${file} cannot be read and closed to others (${codeOf(error)}). It has to be a file of this user.`,
      error,
    );
  } finally {
    await handle.close();
  }
  throw badKey(
    `The key file ${file} does not hold ${KEY_IN_WORDS}. Put the original file back; without it the stored tokens ` +
      'cannot be opened. If there are none yet, or all characters can be logged in again, delete the file.',
  );
}

/** What is written stays written: tokens sealed with a key that a power cut took away are lost. */
async function sync(at: string): Promise<void> {
  const handle = await open(at, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Puts a new key in place unless another process was first. The file appears whole or not at all. */
async function makeKey(file: string): Promise<void> {
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
    await place(draft, file);
    await sync(folder).catch(() => undefined); // Windows syncs no folders
  } catch (error) {
    throw badKey(
      `No key for the tokens can be made in ${folder} (${codeOf(error)}). Give this user the right to write there, ` +
        `or set TOKEN_ENCRYPTION_KEY to ${KEY_IN_WORDS}.`,
      error,
    );
  } finally {
    await rm(draft, { force: true });
  }
}

async function place(draft: string, file: string): Promise<void> {
  try {
    await link(draft, file).catch((error: unknown) => {
      if (codeOf(error) === 'EEXIST') throw error;
      return copyFile(draft, file, constants.COPYFILE_EXCL); // a file system without links, such as exFAT
    });
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error; // else another process was first, and its key counts
  }
}

/**
 * The keys that tokens are sealed with, the first one for new ones: those of the setting, or else the one in
 * `DATA_DIR/token.key`, which is made when it is not there. Throws AppError BAD_KEY.
 */
export async function loadKeys({ setting, dataDir }: KeySources): Promise<Buffer[]> {
  if (setting !== undefined && setting.trim() !== '') return keysOf(setting);
  const file = path.join(dataDir, 'token.key');
  const found = await readKey(file);
  if (found) return [found];
  await makeKey(file);
  const made = await readKey(file);
  if (!made) throw badKey(`The key file ${file} vanished just after it was made. Start again.`);
  return [made];
}
