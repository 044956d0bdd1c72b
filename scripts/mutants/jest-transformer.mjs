// Compiles as the tests do, and makes one change to one file: that of the variable MUTANT.
import { createHash } from 'node:crypto';
import swc from '@swc/jest';

const mutant = JSON.parse(process.env.MUTANT ?? 'null');

function mutate(source, filename) {
  if (filename !== mutant?.file) return source;
  const bytes = Buffer.from(source);
  const [before, after] = [bytes.subarray(0, mutant.start), bytes.subarray(mutant.end)];
  return Buffer.concat([before, Buffer.from(mutant.replacement), after]).toString('utf8');
}

export default {
  createTransformer(options) {
    const transformer = swc.createTransformer(options);
    return {
      ...transformer,
      process: (source, filename, jestOptions) =>
        transformer.process(mutate(source, filename), filename, jestOptions),
      processAsync: (source, filename, jestOptions) =>
        transformer.processAsync(mutate(source, filename), filename, jestOptions),
      getCacheKey: (source, filename, ...rest) =>
        createHash('sha1')
          .update(transformer.getCacheKey(mutate(source, filename), filename, ...rest))
          .digest('hex'),
    };
  },
};
