/** The sections of the report, in order. */

import type { Section } from './bench.ts';
import { bugsSection } from './bugs-section.ts';
import { coverageSection } from './coverage-section.ts';
import { fuzzSection } from './fuzz-section.ts';
import { jobsSection } from './jobs-section.ts';
import { proofSection } from './proof-section.ts';
import { ratesSection } from './rates.ts';
import { spinSection } from './spin.ts';
import { growthSection, tracesSection } from './traces.ts';

export const SECTIONS: readonly Section[] = [
  tracesSection,
  growthSection,
  ratesSection,
  spinSection,
  fuzzSection,
  coverageSection,
  proofSection,
  jobsSection,
  bugsSection,
];
