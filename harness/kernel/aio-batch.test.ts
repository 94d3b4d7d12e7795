import t from 'tap';
import { runAio, sequenceAio, type AioBody, type AioLibc, type AioLitmus } from './aio.test-kit.ts';
import { buildKernel, listKernels, parseKernelSpec } from './series/index.ts';
import type { Seen } from './kernel-2.6.20.test-kit.ts';
import type { Kernel } from '../machine/index.ts';

const PLAIN = '3.1';
const V2 = '3.1+kiocb-batch-v2';
const V3 = '3.1+kiocb-batch-v3';
const COUNTED = `${V3}+batch-accounting-fix`;
const WAKES = `${COUNTED}+batch-wakeup-fix`;

const O_RDWR = 2;
const O_DIRECT = 0o40000;
/** First come, first served, while nothing else can run. */
const IN_ORDER = { slots: 0, service: 1 };
const ANY_ORDER = { slots: 0, service: 0 };

function sequenceOn(spec: string, body: AioBody, options: Partial<AioLitmus> = {}): string[] {
  return sequenceAio(body, { disk: IN_ORDER, ...options, kernel: buildKernel(spec) });
}

function runOn(spec: string, litmus: AioLitmus): Seen {
  return runAio({ disk: ANY_ORDER, ...litmus, kernel: buildKernel(spec) });
}

/** A context and the disk. */
function* prepare(u: AioLibc): Kernel<void> {
  yield* u.setup('c', 4);
  yield* u.open('f', '/dev/sda', O_RDWR | O_DIRECT);
}

/** Iocbs of which the second names no file. */
function goodAndBad(u: AioLibc): number[] {
  return [u.pread('a', 'f', 16), u.pread('b', -1, 16)];
}

t.test('specs of 3.1 are put together in the order of the mails', async (t) => {
  const listed = listKernels()
    .map(({ spec }) => spec)
    .filter((spec) => spec.startsWith('3.1'));
  for (const spec of [PLAIN, V2, V3, COUNTED, WAKES, '3.1+no-plug', '3.1+stray-unlock-bh'])
    t.ok(listed.includes(spec), spec);
  t.equal(parseKernelSpec(`${WAKES}+no-plug`).base, '3.1');
  const wrong: readonly (readonly [string, string])[] = [
    [
      `${V2}+kiocb-batch-v3`,
      'patches "kiocb-batch-v2" and "kiocb-batch-v3" exclude each other; leave one out',
    ],
    [
      '3.1+batch-wakeup-fix',
      `patch "batch-wakeup-fix" needs "batch-accounting-fix" before it; try "${WAKES}"`,
    ],
    ['2.6.20+no-plug', 'patch "no-plug" applies to 3.1 only'],
  ];
  for (const [spec, message] of wrong)
    t.throws(() => parseKernelSpec(spec), { message: `Cannot build kernel "${spec}": ${message}` });
});

t.test('a call is admitted as far as there is room, in one batch or one by one', async (t) => {
  const body: AioBody = function* (u) {
    yield* prepare(u);
    const five = ['a', 'b', 'c', 'd', 'e'].map((name) => u.pread(name, 'f', 16));
    yield* u.note('five', u.submit('c', ...five));
    yield* u.note('more', u.submit('c', five[4]));
    yield* u.note('two', u.reap('c', 2, 2));
    yield* u.note('again', u.submit('c', five[3], five[4]));
  };
  for (const spec of [PLAIN, V2, V3, WAKES])
    t.same(
      sequenceOn(spec, body, { ring: 4 }),
      ['five=3', 'more=EAGAIN', 'two=a:16 b:16', 'again=2'],
      spec,
    );
});

t.test('more than 32 iocbs take a second batch', async (t) => {
  const body: AioBody = function* (u) {
    yield* prepare(u);
    const a = u.pread('a', 'f', 16);
    const bad = u.pread('b', -1, 16);
    yield* u.note('all', u.submit('c', ...new Array<number>(34).fill(a)));
    yield* u.note('last of the first batch', u.submit('c', ...new Array<number>(31).fill(a), bad));
  };
  const lines = ['all=34', 'last of the first batch=31'];
  for (const spec of [PLAIN, WAKES]) t.same(sequenceOn(spec, body), lines, spec);
  t.same(sequenceOn(V3, body).slice(0, 2), lines);
});

t.test('a call that stops early leaves nothing behind, or what the versions leave', async (t) => {
  const body: AioBody = function* (u) {
    yield* prepare(u);
    const [good, bad] = goodAndBad(u);
    yield* u.note('stops', u.submit('c', good, bad));
    yield* u.note('got', u.reap('c', 1, 1));
    yield* u.note('whole', u.submit('c', good, good, good));
  };
  for (const spec of [PLAIN, COUNTED, WAKES])
    t.same(sequenceOn(spec, body, { ring: 4 }), ['stops=1', 'got=a:16', 'whole=3'], spec);
  for (const spec of [V2, V3]) {
    const lines = sequenceOn(spec, body, { ring: 4 });
    t.same(lines.slice(0, 3), ['stops=1', 'got=a:16', 'whole=2'], spec);
    for (const finding of ['ACCOUNT A-I1', 'ACCOUNT A-I2', 'HUNG wait_for_all_aios'])
      t.ok(lines.includes(finding), `${spec}: ${finding}`);
  }
});

t.test('an iocb that is refused after it was given a kiocb gives it back', async (t) => {
  const body: AioBody = function* (u) {
    yield* prepare(u);
    const odd = u.iocb('a', { lioOpcode: 99, fildes: u.number('f') });
    const first = u.iocb('b', { lioOpcode: 0, fildes: -1 });
    yield* u.note('refused', u.submit('c', odd));
    yield* u.note('no file', u.submit('c', first, odd));
    const fildes = u.number('f');
    yield* u.note('no file to tell', u.submit('c', u.iocb('d', { fildes, resfd: 99 })));
    yield* u.note('no eventfd to tell', u.submit('c', u.iocb('d', { fildes, resfd: fildes })));
    yield* u.note('destroyed', u.destroy('c'));
  };
  for (const spec of [PLAIN, V2, V3, WAKES])
    t.same(
      sequenceOn(spec, body),
      [
        'refused=EINVAL',
        'no file=EBADF',
        'no file to tell=EBADF',
        'no eventfd to tell=EINVAL',
        'destroyed=0',
      ],
      spec,
    );
});

t.test('without memory a batch is as large as it could be made', async (t) => {
  const litmus: AioLitmus = {
    faults: 1,
    disk: IN_ORDER,
    init: prepare,
    threads: [
      function* (u) {
        const a = u.pread('a', 'f', 16);
        yield* u.note('n', u.submit('c', a, a));
      },
    ],
  };
  // One by one, the second try needs no luck; a batch of none is not tried again.
  t.notOk(runOn(PLAIN, litmus).outcomes.includes('n=EAGAIN'));
  t.ok(runOn(V3, litmus).outcomes.includes('n=EAGAIN'));
});

t.test('who destroys a context sends every sleeper home', async (t) => {
  const sleeper: AioBody = (u) => u.note('x', u.reap('c', 1, 1));
  const other: AioBody = (u) => u.note('y', u.reap('c', 1, 1));
  const seen = runOn(PLAIN, {
    init: prepare,
    threads: [sleeper, other, (u) => u.note('z', u.destroy('c'))],
  });
  t.same(seen.outcomes, ['x=EINVAL, y=EINVAL, z=0']);
  t.same(seen.findings, []);
});

t.test('a request is not run on a context that dies', async (t) => {
  const litmus: AioLitmus = {
    init: prepare,
    threads: [
      (u) => u.note('n', u.submit('c', u.pread('a', 'f', 16))),
      (u) => u.note('z', u.destroy('c')),
    ],
  };
  for (const spec of [PLAIN, WAKES]) {
    const seen = runOn(spec, litmus);
    t.same(seen.outcomes, ['n=1, z=0', 'n=EINVAL, z=0'], spec);
    t.same(seen.findings, [], spec);
  }
});

t.test('the story of the destroyer, level by level', async (t) => {
  const litmus: AioLitmus = {
    init: prepare,
    threads: [
      (u) => u.note('n', u.submit('c', ...goodAndBad(u))),
      (u) => u.note('z', u.destroy('c')),
    ],
  };
  t.same(runOn(PLAIN, litmus).findings, []);
  const leaks = runOn(V3, litmus);
  for (const finding of ['ACCOUNT A-I1', 'HUNG wait_for_all_aios', 'OOPS put_ioctx-1'])
    t.ok(leaks.findings.includes(finding), finding);
  const sleeps = runOn(COUNTED, litmus);
  t.same(sleeps.findings, ['HUNG wait_for_all_aios', 'WAKEUP destroyer']);
  t.notOk(leaks.outcomes.includes('n=1, z=0'));
  t.ok(sleeps.outcomes.includes('n=1, z=0'));
  const mended = runOn(WAKES, litmus);
  t.same(mended.outcomes, ['n=1, z=0', 'n=EINVAL, z=0']);
  t.same(mended.findings, []);
});

t.test('a plug holds back, sorts and merges; without it the disk hears at once', async (t) => {
  const body: AioBody = function* (u) {
    yield* prepare(u);
    const at = (name: string, offset: number): number =>
      u.iocb(name, { fildes: u.number('f'), buf: u.bufferOf(name), nbytes: 16, offset });
    const order = [at('a', 64), at('b', 128), at('d', 0), at('e', 16)];
    yield* u.note('n', u.submit('c', ...order));
    for (const name of ['first-dispatch', 'order', 'merged']) yield* u.note(name, u.stat(name));
  };
  t.same(sequenceOn(PLAIN, body), ['n=4', 'first-dispatch=4', 'order=3412', 'merged=1']);
  t.same(sequenceOn('3.1+no-plug', body), ['n=4', 'first-dispatch=1', 'order=1234', 'merged=0']);
});

t.test(
  'the limit of all contexts, with a lock that is let go as it was taken or not',
  async (t) => {
    const body: AioBody = function* (u) {
      yield* u.note('first', u.setup('c', 1));
      yield* u.note('second', u.setup('d', 1));
      yield* u.note('gone', u.destroy('c'));
      yield* u.note('third', u.setup('d', 1));
    };
    const lines = ['first=0', 'second=EAGAIN', 'gone=0', 'third=0'];
    t.same(sequenceOn(PLAIN, body, { maxNr: 1 }), lines);
    t.same(sequenceOn('3.1+stray-unlock-bh', body, { maxNr: 1 }), [
      ...lines,
      'LOCKDEP io_setup-7',
      'WARN io_setup-7',
    ]);
  },
);
