// Ends the test servers in a folder and removes it, as soon as standard input closes: the test run holds the other
// end, so this happens when it is finished and also when it was killed.
import { existsSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const dir = process.argv[2];

/** The files below the folder in which servers of this run and of its tests write down their process ids. */
function pidFiles() {
  try {
    const names = readdirSync(dir, { recursive: true });
    return names.filter((name) => /(^|[/\\])(postmaster|temporal)\.pid$/.test(name));
  } catch {
    return []; // Files come and go while servers end: the next round sees the rest.
  }
}

/** Ends the server of a pid file; false when it is gone. */
function end(file) {
  try {
    const text = readFileSync(join(dir, file), 'utf8');
    const pid = text.startsWith('{') ? JSON.parse(text).pid : Number.parseInt(text, 10);
    // SIGQUIT is PostgreSQL's immediate stop, which SIGKILL is for Temporal: the data is thrown away anyway.
    process.kill(pid, text.startsWith('{') ? 'SIGKILL' : 'SIGQUIT');
    return true;
  } catch {
    return false;
  }
}

/** A server that was just being started when its starter was killed writes its id down within the first rounds. */
const FIRST_ROUNDS = 4;
const ROUNDS = 20;
const ROUND_MS = 250;

/** A run that finishes says so; one that was killed cannot. */
let killed = true;
process.stdin.on('data', () => {
  killed = false;
});
process.stdin.on('end', () => {
  let round = 0;
  const timer = setInterval(() => {
    round += 1;
    const alive = pidFiles().filter((file) => end(file)).length > 0;
    if ((alive || (killed && round < FIRST_ROUNDS)) && round < ROUNDS) return;
    clearInterval(timer);
    rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
    process.exit(existsSync(dir) ? 1 : 0);
  }, ROUND_MS);
});
