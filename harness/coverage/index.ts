/** What programs make a kernel do, observed at the end of executions. */

export { Coverage } from './coverage.ts';
export { FEATURE_KINDS, kindOf, reversed, type FeatureKind } from './feature.ts';
export { countFeatures, coverageText, type CoverageCounts } from './statement.ts';
export type { CallSpans } from './trace.ts';
