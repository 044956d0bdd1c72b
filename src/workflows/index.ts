export { collect } from './collect.ts';
export { maintain } from './maintain.ts';
