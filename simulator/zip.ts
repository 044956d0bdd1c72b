import { crc32, deflateRawSync } from 'node:zlib';

/** One file of an archive. */
export interface ZipEntry {
  name: string;
  data: Buffer;
}

/** The same, packed by the caller. Its checksum is not right: few readers check it. */
export interface PackedEntry {
  name: string;
  /** Deflated. */
  packed: Buffer;
  /** Bytes unpacked. */
  size: number;
}

const DEFLATE = 8;
const VERSION = 20; // 2.0, the first version with deflate
const DOS_DATE = 0x5821; // 2024-01-01: a fixed date keeps equal contents equal

/** The fields that the local header and the central directory share. */
function commonFields(entry: PackedEntry & { checksum: number }): Buffer {
  const fields = Buffer.alloc(26);
  fields.writeUInt16LE(VERSION, 0);
  fields.writeUInt16LE(0x0800, 2); // names are UTF-8
  fields.writeUInt16LE(DEFLATE, 4);
  fields.writeUInt16LE(0, 6); // midnight
  fields.writeUInt16LE(DOS_DATE, 8);
  fields.writeUInt32LE(entry.checksum, 10);
  fields.writeUInt32LE(entry.packed.length, 14);
  fields.writeUInt32LE(entry.size, 18);
  fields.writeUInt16LE(Buffer.byteLength(entry.name), 22);
  return fields;
}

/** Deflates a file, fast rather than small: the archive is made at run time. */
function pack(entry: ZipEntry | PackedEntry): PackedEntry & { checksum: number } {
  if ('packed' in entry) return { ...entry, checksum: 0 };
  const { name, data } = entry;
  return { name, packed: deflateRawSync(data, { level: 1 }), size: data.length, checksum: crc32(data) };
}

/** Makes a deflated zip archive, without zip64: each file is smaller than 4 GB. */
export function makeZip(entries: readonly (ZipEntry | PackedEntry)[]): Buffer {
  const files: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const entry of entries.map(pack)) {
    const name = Buffer.from(entry.name);
    const { packed } = entry;
    const fields = commonFields(entry);
    files.push(Buffer.from('PK\u0003\u0004'), fields, name, packed);
    const tail = Buffer.alloc(14); // comment length, disk, attributes: all zero, then the offset
    tail.writeUInt32LE(offset, 10);
    directory.push(Buffer.from('PK\u0001\u0002'), Buffer.from([VERSION, 0]), fields, tail, name);
    offset += 4 + fields.length + name.length + packed.length;
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const end = Buffer.alloc(22);
  end.write('PK\u0005\u0006', 'latin1');
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(size, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...files, ...directory, end]);
}
