// Stops the test servers in a folder and removes the folder when standard input closes. The test run holds the other
// end of the pipe, so this happens when the run finishes and also when it is killed.
import { existsSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const dir = process.argv[2];

/** The files below the folder in which servers of this run and of its tests write their process ids. */
function pidFiles() {
  try {
    const names = readdirSync(dir, { recursive: true });
    return names.filter((name) => /(^|[/\\])(postmaster|temporal)\.pid$/.test(name));
  } catch {
    return []; // Files are removed while servers stop; the next round lists the rest.
  }
}

/** Stops the server of a pid file. Returns false when it no longer runs. */
function stopServer(file) {
  try {
    const text = readFileSync(join(dir, file), 'utf8');
    const pid = text.startsWith('{') ? JSON.parse(text).pid : Number.parseInt(text, 10);
    // SIGQUIT stops PostgreSQL at once, SIGKILL stops Temporal: the data is discarded anyway.
    process.kill(pid, text.startsWith('{') ? 'SIGKILL' : 'SIGQUIT');
    return true;
  } catch {
    return false;
  }
}

/** A server that was being started when the run was killed writes its process id within the first rounds. */
const FIRST_ROUNDS = 4;
const ROUNDS = 20;
const ROUND_MS = 250;

/** A run that finishes writes to the pipe; a killed one cannot. */
let wasKilled = true;
process.stdin.on('data', () => {
  wasKilled = false;
});
process.stdin.on('end', () => {
  let round = 0;
  const timer = setInterval(() => {
    round += 1;
    const isAnyRunning = pidFiles().filter((file) => stopServer(file)).length > 0;
    if ((isAnyRunning || (wasKilled && round < FIRST_ROUNDS)) && round < ROUNDS) return;
    clearInterval(timer);
    rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
    process.exit(existsSync(dir) ? 1 : 0);
  }, ROUND_MS);
});
