import { hidePasswordOf, hideSecret } from '../lib/redact.ts';

/** The settings that are or contain secrets. */
type Secrets = Readonly<
  Partial<
    Record<
      | 'API_TOKEN'
      | 'METRICS_TOKEN'
      | 'ESI_CLIENT_SECRET'
      | 'TEMPORAL_API_KEY'
      | 'TOKEN_ENCRYPTION_KEY'
      | 'DATABASE_URL',
      string | undefined
    >
  >
>;

/** Masks the secrets among the settings in the log and the errors of the process, which holds them from here on. */
export function hideSecretsOf(config: Secrets): void {
  const { API_TOKEN, METRICS_TOKEN, ESI_CLIENT_SECRET, TEMPORAL_API_KEY, TOKEN_ENCRYPTION_KEY = '' } = config;
  for (const secret of [API_TOKEN, METRICS_TOKEN, ESI_CLIENT_SECRET, TEMPORAL_API_KEY])
    if (secret !== undefined) hideSecret(secret);
  for (const key of TOKEN_ENCRYPTION_KEY.split(',')) hideSecret(key.trim());
  if (config.DATABASE_URL !== undefined) hidePasswordOf(config.DATABASE_URL);
}
