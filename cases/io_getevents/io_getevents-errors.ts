import { defineCase } from '../../harness/case-api.ts';

const everywhere = '2.6.20 3.1 host';

/** Two events are waiting; `left` is what a second call finds. */
export default defineCase({
  verifies:
    'io_getevents() checks its counts; an event that cannot be stored is lost on the models and stays on the host',
  docs: 'A-R50 A-R51 A-R52 A-R53',
  rows: [
    { why: 'less than none', args: '-1, 1, 0', x: 'EINVAL', left: 'b:EAGAIN', on: everywhere },
    {
      why: 'more than there is room for',
      args: '2, 1, 0',
      x: 'EINVAL',
      left: 'b:EAGAIN',
      on: everywhere,
    },
    { why: 'none asked for', args: '0, 0, 0', x: '{}', left: 'b:EAGAIN', on: everywhere },
    { why: 'nowhere', args: '1, 8, 0, events=BAD', x: 'EFAULT', left: 'b:EAGAIN', on: 'host' },
    {
      why: 'nowhere on a model',
      args: '1, 8, 0, events=BAD',
      x: 'EFAULT',
      left: '',
      lost: true,
      on: '2.6.20 3.1',
    },
    {
      why: 'nowhere, none needed',
      args: '0, 8, 0, events=BAD',
      x: '{}',
      left: '',
      lost: true,
      on: '2.6.20 3.1',
    },
    {
      why: 'no time limit to read',
      args: '2, 8, 0, tmo=BAD',
      x: '{a:0, b:EAGAIN}',
      left: '-',
      on: '2.6.20 3.1',
    },
    {
      why: 'the same on the host',
      args: '2, 8, 0, tmo=BAD',
      x: 'EFAULT',
      left: 'b:EAGAIN',
      on: 'host',
    },
  ].map((row) => ({ lost: false, ...row })),
  program: ({ args, x, left, lost }) => `
init:
  c = io_setup(2)
  r, w = pipe2(O_NONBLOCK)
  io_submit(c, [a: pread(r, 0), b: pread(r, 1)])
T1:
  x = io_getevents(c, ${args})
  y = io_getevents(c, 0, 8, 0)
expect:
  always x=${x} y=${left === '-' ? '{}' : left === '' ? '{b:EAGAIN}' : `{a:0, ${left}}`}
${lost ? '  finding LOST-EVENT' : ''}
`,
});
