/** Characters that PostgreSQL cannot store: U+0000 and lone surrogates. */
const UNSTORABLE = /[\0\p{Cs}]/gu;

/** Removes characters that PostgreSQL cannot store. */
export const stripUnstorable = (text: string): string => text.replaceAll(UNSTORABLE, '');
