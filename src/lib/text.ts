/** What a text in Postgres has no place for: U+0000 and halves of characters. */
const UNSTORABLE = /[\0\p{Cs}]/gu;

/** A text of somebody else's as a table can hold it. */
export const stripUnstorable = (text: string): string => text.replaceAll(UNSTORABLE, '');
