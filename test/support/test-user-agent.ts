/** The User-Agent of every test; ESI requires a contact in it. */
export const TEST_USER_AGENT = 'eve-collector-test (test@example.com)';
