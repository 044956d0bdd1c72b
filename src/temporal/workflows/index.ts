export { affiliations } from './affiliations.ts';
export { collect } from './collect.ts';
export { dispatch } from './dispatch.ts';
export { maintain } from './maintain.ts';
