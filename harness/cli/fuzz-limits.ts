/** What one generated program may cost. */

/** Executions of an exact exploration before the program is sampled. */
export const EXECUTIONS_PER_PROGRAM = 2000;
/** Steps of one execution before it counts as endless. */
export const STEPS_PER_EXECUTION = 2000;
