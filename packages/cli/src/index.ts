export { undescribedPaths } from './docs/json-fields.ts';
export { runProgram } from './program.ts';
