export { affiliations } from './update-affiliations.ts';
export { collect } from './collect.ts';
export { dispatch } from './dispatch-owners.ts';
export { maintain } from './maintain.ts';
