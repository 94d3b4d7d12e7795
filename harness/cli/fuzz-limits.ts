/** What one generated program may cost. */

/**
 * Executions of a program that is explored exactly, at most. Of programs with three threads of one call, most have
 * fewer traces than that; the few that have a hundred times as many would take all the time there is.
 */
export const EXECUTIONS_PER_PROGRAM = 100;
/** Steps of one execution before it counts as endless. */
export const STEPS_PER_EXECUTION = 2000;
