import { readConfig } from '../../src/app/settings.ts';
import { createLog } from '../../src/app/create-log.ts';

// Logs the text of the first argument in the format of the second, as a message and as a field.
readConfig({ ESI_USER_AGENT: 'me@example.com', ESI_CLIENT_ID: 'id', ESI_CLIENT_SECRET: 's3cret&value' });
const [, , text = '', format] = process.argv;
createLog('info', format === 'json' ? 'json' : 'pretty').info({ target: text }, text);
