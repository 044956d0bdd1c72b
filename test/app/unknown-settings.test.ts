import { describe, expect, test } from '@jest/globals';
import { readConfig } from '../../src/app/settings.ts';
import { AGENT, errorLines } from './rejected-settings.ts';

const read = (environment: NodeJS.ProcessEnv) => readConfig({ ...AGENT, ...environment });

describe('unknown settings', () => {
  test('an unknown setting with one of our prefixes is rejected, with a suggestion where a name is close', () => {
    expect(errorLines({ ESI_USERAGENT: 'x' })).toEqual([
      'Unknown setting ESI_USERAGENT. Did you mean ESI_USER_AGENT?',
    ]);
    expect(errorLines({ COLLECT_MOON_DUST: 'true' })[0]).toMatch(
      /^Unknown setting COLLECT_MOON_DUST\. See docs\/settings\.md/,
    );
  });

  test.each([
    ['TOKEN_ENCRYPTION_KEYS', 'TOKEN_ENCRYPTION_KEY'],
    ['TOKEN_ENCRYPTION_KY', 'TOKEN_ENCRYPTION_KEY'],
    ['API_TOKN', 'API_TOKEN'],
    ['HTTP_PRT', 'HTTP_PORT'],
    ['LOG_LEVL', 'LOG_LEVEL'],
    ['LOGLEVEL', 'LOG_LEVEL'],
    ['log_level', 'LOG_LEVEL'],
    ['DATADIR', 'DATA_DIR'],
    ['METRICS_POTT', 'METRICS_PORT'],
    ['DATA_DIRR', 'DATA_DIR'],
    ['TEMPORAL_ADRESS', 'TEMPORAL_ADDRESS'],
    ['OTEL_EXPORTER_OTLP_ENDPONT', 'OTEL_EXPORTER_OTLP_ENDPOINT'],
  ])('%s is recognised as a misspelled %s, not as a name of another program', (name, meant) => {
    expect(errorLines({ [name]: 'x' })).toEqual([`Unknown setting ${name}. Did you mean ${meant}?`]);
  });

  test('settings of other programs are ignored, and so are empty ones', () => {
    const others = [
      'PGHOST',
      'HTTP_PROXY',
      'API_KEY',
      'LOG_FILE',
      'OTEL_SERVICE_NAME',
      'TEMPORAL_CLI_ADDRESS',
      'TEMPORAL_CLI_AUTH',
      'TEMPORAL_ENV',
      'TEMPORAL_TLS_CLIENT_KEY_DATA',
    ];
    const environment = Object.fromEntries(others.map((name) => [name, 'x']));
    expect(read({ ...environment, ESI_FOO: '' })).toEqual(read({}));
  });
});
