import { once } from 'node:events';
import { loadKeys } from '../../src/secrets/encryption-keys.ts';

// Loads the keys of a data directory when the test says so, and prints the first.
process.send!('ready');
await once(process, 'message');
const [key] = await loadKeys({ setting: undefined, dataDir: process.argv[2]! });
process.send!(key!.toString('base64'), () => process.exit());
