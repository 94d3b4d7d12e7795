/** Random programs, calls, kernel specs and schedules. */

export * from './arbitrary.ts';
export { drawFromSeed, type Draw } from './draw.ts';
export { generateProgram, type Bounds, type ProgramOptions } from './generate.ts';
export * from './kernel-spec.ts';
export { mutate, type MutateOptions } from './mutate.ts';
export * from './profile.ts';
export * from './schedule.ts';
export { givenProgram, steeredProgram, type SteeredOptions } from './steered.ts';
