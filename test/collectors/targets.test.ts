import { expect, test } from '@jest/globals';
import { parseTarget } from '../../src/collectors/targets.ts';

test('a target is taken apart', () => {
  expect(parseTarget('character/90000001', 'character')).toEqual({
    kind: 'character',
    id: 90_000_001,
    column: 'character_id',
  });
  expect(parseTarget('structure/1035466617946', 'structure').id).toBe(1_035_466_617_946);
});

test.each([
  ...['character/90000001/x', 'character/090000001', 'character/+90000001', 'character/9e7'],
  ...['character/0x55d4a81', 'character/ 90000001', 'character/90000001 ', 'character/90000001.0'],
  ...['character/0', 'character/-1', 'character/', 'character', '', '90000001'],
  ...['character/9007199254740993', 'Character/90000001', 'corporation/90000001'],
])('one owner has one name, and it is not "%s"', (text) => {
  expect(() => parseTarget(text, 'character')).toThrow(
    expect.objectContaining({ code: 'BAD_TARGET', verdict: 'fail' }),
  );
});
