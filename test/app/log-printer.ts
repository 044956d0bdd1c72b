import { createLog } from '../../src/app/create-log.ts';

// Logs the text of the first argument in the format of the second, as a message and as a field.
const [, , text = '', format] = process.argv;
createLog('info', format === 'json' ? 'json' : 'pretty').info({ target: text }, text);
