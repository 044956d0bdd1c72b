const NEWLINE = 0x0a;

/**
 * Yields the lines of a text in UTF-8. Only `\n` ends a line: JSON may contain U+2028, at which readline of newer Node splits.
 * Throws Error when a line is larger than `maxLine` bytes.
 */
export async function* readLines(chunks: AsyncIterable<Buffer>, maxLine: number): AsyncGenerator<string> {
  let parts: Buffer[] = [];
  let length = 0;
  const add = (part: Buffer) => {
    length += part.length;
    if (length > maxLine) throw new Error(`a line is larger than ${maxLine >> 20} MB`);
    parts.push(part);
  };
  const take = () => {
    const text = Buffer.concat(parts, length).toString('utf8');
    parts = [];
    length = 0;
    return text.endsWith('\r') ? text.slice(0, -1) : text;
  };
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      add(chunk.subarray(start, end));
      yield take();
      start = end + 1;
    }
    if (start < chunk.length) add(chunk.subarray(start));
  }
  if (length > 0) yield take();
}
