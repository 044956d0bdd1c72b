// Lets a child process of a test run our TypeScript: `node --import <this file> script.ts`.
import { register } from 'node:module';

register('./ts-loader-hooks.mjs', import.meta.url);
