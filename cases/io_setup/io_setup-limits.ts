import { defineCase } from '../../harness/case-api.ts';

const models = '2.6.20 3.1';

/** The host doubles the number of requests before it compares; a request of a model takes 132 or 240 bytes. */
export default defineCase({
  verifies:
    'io_setup() refuses with EINVAL what could never be and with EAGAIN what is not allowed now',
  docs: 'A-R17 A-R30',
  rows: [
    { why: 'the ring would be too large', nr: 8_388_609, answer: 'EINVAL', on: `${models} host` },
    { why: 'the doubled ring would be', nr: 4_194_305, answer: 'EINVAL', on: 'host' },
    { why: 'requests of 132 bytes fit', nr: 2_033_601, answer: 'EAGAIN', on: models },
    { why: 'one more does not', nr: 2_033_602, answer: 'EINVAL', on: models },
    { why: 'requests of 240 bytes fit', nr: 1_118_481, bits: 64, answer: 'EAGAIN', on: models },
    { why: 'one more of them does not', nr: 1_118_482, bits: 64, answer: 'EINVAL', on: models },
    { why: 'the limit', nr: 65_536, answer: 'ok', on: models },
    { why: 'one above the limit', nr: 65_537, answer: 'EAGAIN', on: models },
  ],
  program: ({ nr, bits = 32, answer }) => `
long-bits: ${bits}
T1:
  c = io_setup(${nr})
expect:
  always c=${answer}
`,
});
