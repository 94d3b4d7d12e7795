import * as fc from 'fast-check';
import t from 'tap';
import {
  compareSizes,
  isSmaller,
  missingOn,
  parseProgram,
  parseSyntax,
  printCall,
  printProgram,
  problemOf,
  programHash,
  shrinkProgram,
  sizeOf,
  type Program,
} from '../index.ts';
import {
  AIO_KERNELS,
  arbitraryCall,
  arbitraryKernelSpec,
  arbitraryProgram,
  arbitrarySchedule,
  drawFromSeed,
  generateProgram,
  profileOf,
  type Descriptor,
} from './index.ts';

const SEED = Number(process.env['PROGRAM_SEED'] ?? 20_261_120);
t.comment(`seed ${SEED} (PROGRAM_SEED overrides)`);

const KERNELS = [
  '2.5.44+sys_epoll-v11',
  '2.5.44+sys_epoll-v11+epoll-add-and-test',
  '2.6.20',
  'host',
];

const WITH_AIO = [
  '2.6.20+fs-aio+aio-epoll-wait',
  '2.6.20+fs-aio+aio-epoll-wait+aio-fallback-nonblock',
  '3.1',
];

/** The laws every arbitrary of programs keeps. */
function assertProgramLaws(selector: string, runs: number): void {
  const profile = profileOf(selector);
  const bounds = { threads: { min: 1, max: 4 }, callsPerThread: { min: 1, max: 4 } };
  fc.assert(
    fc.property(arbitraryProgram({ profile, ...bounds }), (program) => {
      const reason = problemOf(program) ?? missingOn(program, selector);
      if (reason !== null) throw new Error(`${reason}\n${printProgram(program)}`);
      if (program.threads.length > 4) throw new Error('more threads than asked for');
      if (program.threads.some((calls) => calls.length > 4))
        throw new Error('more calls than asked for');
      assertRoundTrip(program);
    }),
    { seed: SEED, numRuns: runs },
  );
}

function assertRoundTrip(program: Program): void {
  const text = printProgram(program);
  const back = parseProgram(text, '');
  if (JSON.stringify(back) !== JSON.stringify(program)) throw new Error(`Not read back:\n${text}`);
  if (printProgram(back) !== text) throw new Error(`Not canonical:\n${text}`);
}

t.test('generated programs are valid, fit their kernel and survive the text form', async (t) => {
  for (const kernel of KERNELS) {
    t.doesNotThrow(() => assertProgramLaws(kernel, 1500), kernel);
  }
  for (const kernel of WITH_AIO) {
    t.doesNotThrow(() => assertProgramLaws(kernel, 800), kernel);
  }
});

t.test('the same seed gives the same programs', async (t) => {
  const arbitrary = arbitraryProgram({ profile: profileOf('2.6.20') });

  const [a, b] = [1, 2].map(() => fc.sample(arbitrary, { seed: SEED, numRuns: 50 }));
  const [c, d] = [1, 2].map(() =>
    generateProgram(drawFromSeed(SEED), { profile: profileOf('2.5.44+sys_epoll-v11') }),
  );

  t.same(a, b);
  t.same(c, d);
  t.ok(new Set(a.map(programHash)).size > 40, 'and different ones in a row');
});

t.test('programs for kernels without AIO are the ones they always were', async (t) => {
  const profile = profileOf('2.5.44+sys_epoll-v11');
  const hashes = Array.from({ length: 200 }, (_, seed) =>
    programHash(generateProgram(drawFromSeed(seed), { profile })),
  );

  // Golden: seeds are written down in places, and a draw more would change what they find.
  t.equal(
    hashes.reduce((sum, hash) => sum ^ Number.parseInt(hash.slice(8), 16), 0) >>> 0,
    378_914_370,
  );
});

t.test('shrunk programs are valid, strictly smaller and come once', async (t) => {
  for (const kernel of [...KERNELS, ...WITH_AIO]) {
    const programs = fc.sample(
      arbitraryProgram({ profile: profileOf(kernel), threads: { min: 1, max: 4 } }),
      { seed: SEED, numRuns: 60 },
    );
    let count = 0;
    for (const program of programs) {
      const seen = new Set<string>();
      for (const small of shrinkProgram(program)) {
        count += 1;
        const text = printProgram(small);
        if (seen.has(text)) t.fail(`twice:\n${text}`);
        seen.add(text);
        const reason = problemOf(small);
        if (reason !== null) t.fail(`${reason}:\n${text}`);
        if (!isSmaller(small, program)) t.fail(`not smaller:\n${printProgram(program)}\n${text}`);
        assertRoundTrip(small);
      }
    }
    t.ok(count > programs.length * 10, `${kernel}: ${count} shrunk programs`);
  }
});

t.test(
  'what pays most is tried first: threads, calls, tails, init, arguments, budgets',
  async (t) => {
    const program = parseProgram(
      'timers: any\nfaults: 3\nabout: what is left as it is\ninit:\n  r, w = pipe()\nT1:\n  n = write(w, 100)\n' +
        '  n2 = write(w, 1)\nT2:\n  y = read(r, 1)\n  y2 = read(r, 1)\n  y3 = read(r, 1)\n  y4 = read(r, 1)\n',
      'x.prog',
    );
    const calls = (p: Program): number[] => [p.init, ...p.threads].map((list) => list.length);
    const meta = (p: Program): string =>
      p.meta.map(({ key, value }) => `${key}=${value}`).join(' ');
    const shrunk = [...shrinkProgram(program)];
    const first = (is: (p: Program) => boolean): number => shrunk.findIndex(is);
    const places = [
      first((p) => p.threads.length === 1),
      first((p) => calls(p).join() === '1,1,4'),
      first((p) => calls(p).join() === '1,2,2'),
      first((p) => calls(p).join() === '2,1,4'),
      first((p) => printProgram(p).includes('write(w, 64)')),
      first((p) => meta(p) === 'faults=3 about=what is left as it is'),
    ];

    t.same(
      places,
      places.toSorted((a, b) => a - b),
    );
    t.ok(places[0] === 0 && new Set(places).size === places.length, places.join());
    const budgets = shrunk.slice(places[places.length - 1]);
    t.same(budgets.map(meta), [
      'faults=3 about=what is left as it is',
      'timers=any about=what is left as it is',
      'timers=any faults=1 about=what is left as it is',
      'timers=any faults=2 about=what is left as it is',
    ]);
    t.ok(budgets.every((p) => calls(p).join() === '1,2,4'));

    // Whatever is chosen, there is an end, and it has nothing to lose.
    for (const choose of [0, 1, 7]) {
      let [at, steps] = [program, 0];
      for (let next = [...shrinkProgram(at)]; next.length > 0; next = [...shrinkProgram(at)]) {
        at = next[choose % next.length];
        steps += 1;
      }
      t.same([calls(at), meta(at)], [[0], 'about=what is left as it is'], `${steps} steps`);
    }
  },
);

t.test('expectations, signals and labels follow their calls when a program shrinks', async (t) => {
  const program = parseProgram(
    'init:\n  r, w = pipe()\n  d = dup(r)\nT1:\n  y = read(d, 1)\nT2:\n  x = write(w, 1)\n  kill(T3, SIGUSR1)\n' +
      'T3:\n  sleep(5)\nexpect:\n  always y=1 x=1 T3.1=0\n  never y=EINTR\n  clean\n',
    'x.prog',
  );

  const shrunk = [...shrinkProgram(program)];
  const [withoutFirst, , withoutThird] = shrunk;
  const undup = shrunk.find((p) => p.init.length === 1 && p.threads.length === 3);

  t.match(printProgram(withoutFirst), /T1:\n {2}x = write\(w, 1\)\n {2}kill\(T2, SIGUSR1\)\nT2:\n/);
  t.match(printProgram(withoutFirst), /expect:\n {2}always x=1 T2.1=0\n {2}clean\n$/);
  t.notMatch(printProgram(withoutThird), /kill/);
  t.match(undup === undefined ? '' : printProgram(undup), /y = read\(r, 1\)/);
});

t.test('fast-check shrinks a failing program to its core', async (t) => {
  const arbitrary = arbitraryProgram({
    profile: profileOf('2.5.44+sys_epoll-v11'),
    threads: { min: 2, max: 4 },
  });
  const races = (program: Program): boolean => {
    const names = program.threads.map((calls) => calls.map(printCall).join('\n'));
    const modifies = names.findIndex((text) => text.includes('EPOLL_CTL_MOD'));
    const removes = names.findIndex((text) => text.includes('EPOLL_CTL_DEL'));
    return modifies >= 0 && removes >= 0 && modifies !== removes;
  };

  const details = fc.check(
    fc.property(arbitrary, (program) => !races(program)),
    { seed: SEED, numRuns: 2000 },
  );

  const [small] = details.counterexample ?? [];
  t.ok(details.failed, `found in ${details.numRuns} programs`);
  t.same(small === undefined ? null : sizeOf(small).slice(0, 3), [2, 4, 2]);
});

t.test('generated programs have the ingredients of races', async (t) => {
  const programs = fc.sample(arbitraryProgram({ profile: profileOf('2.5.44+sys_epoll-v11') }), {
    seed: SEED,
    numRuns: 2000,
  });
  const share = (test: (text: string, p: Program) => boolean): number =>
    programs.filter((p) => test(printProgram(p), p)).length / programs.length;
  const threadsOf = (p: Program): readonly string[] =>
    p.threads.map((calls) => calls.map(printCall).join('\n'));

  const shares = {
    'waits for ever in a thread': share((_, p) => /wait\([^)]*-1\)/.test(threadsOf(p).join())),
    'ADD and a wait in one thread': share((_, p) =>
      threadsOf(p).some((x) => /CTL_ADD[^]*_wait/.test(x)),
    ),
    'MOD and DEL in different threads': share((_, p) => {
      const lists = threadsOf(p);
      return lists.some(
        (x, i) => x.includes('_MOD') && lists.some((y, j) => i !== j && y.includes('_DEL')),
      );
    }),
    'a duplicate': share((text) => text.includes('dup(')),
    'close in a thread': share((_, p) => threadsOf(p).join().includes('close(')),
    'two sets': share((text) => text.includes('B = ')),
    'a pipe filled before': share((text) =>
      /write\(w, (4046|4095|4096|4097)\)\n[^]*T1:/.test(text),
    ),
    'waits only after EAGAIN': share((text) => text.includes('== EAGAIN')),
  };

  for (const [what, part] of Object.entries(shares)) {
    t.ok(part > 0.02, `${what}: ${Math.round(part * 100)} %`);
  }
});

t.test(
  'generated AIO programs race submission, completion, cancellation and their like',
  async (t) => {
    const sharesOn = (kernel: string, tests: Readonly<Record<string, RegExp>>): void => {
      const programs = fc.sample(arbitraryProgram({ profile: profileOf(kernel) }), {
        seed: SEED,
        numRuns: 1000,
      });
      // Threads are unordered for these tests, so each is looked for from any thread on.
      const texts = programs.map((p) => {
        const lists = p.threads.map((calls) => calls.map(printCall).join('\n'));
        const turns = lists.map((_, i) => [...lists.slice(i), ...lists.slice(0, i)].join('\nT\n'));
        return `${p.init.map(printCall).join('\n')}\nT\n${turns.join('\nT\n')}`;
      });
      for (const [what, test] of Object.entries(tests)) {
        const part = texts.filter((text) => test.test(text)).length / texts.length;
        t.ok(part > 0.01, `${kernel}: ${what}: ${Math.round(part * 1000) / 10} %`);
      }
    };

    sharesOn('2.6.20', {
      'sets without AIO': /^(?!.*io_setup)[^]*epoll_wait/,
      'two reapers and a signal': /T\n[^]*getevents[^]*T\n[^]*getevents[^]*T\n[^]*kill/,
      'a context in init': /^c = io_setup/,
      'partly mapped results': /events=mapped/,
      'short waits': /getevents\(c, \d, \d, 1\)/,
    });
    sharesOn('2.6.20+fs-aio+aio-epoll-wait', {
      'a wait with a timer and a close': /: epoll_wait\(A, \d, [125]\)[^]*close\(A/,
      'a wait for ever that is cancelled': /: epoll_wait\(A, 8, -1\)[^]*io_cancel/,
      'an edge-triggered member': /EPOLLET[^]*: epoll_wait/,
      'a request that waits when threads start': /^([^T]|\BT)*io_submit[^]*T\n/,
    });
    sharesOn('2.6.20+fs-aio+aio-epoll-wait+aio-fallback-nonblock', {
      'a short read and a write': /: pread\(\w+, 1\)[^]*write\(\w+, [2-9]/,
      'two writes in a row': /write\([^)]*\)\n\w+ = write/,
    });
    sharesOn('3.1', {
      'a bad descriptor late in a list': /\[\w+: [^\n]*, z\d*: pread\(-1, 1\)/,
      'destroyed by another thread': /io_submit[^]*T\n[^]*io_destroy/,
      'a block device': /O_DIRECT[^]*pread\(f, 512/,
    });
  },
);

t.test('single calls, kernel specs and schedules keep their laws', async (t) => {
  const descriptors: readonly Descriptor[] = [
    { name: 'A', kind: 'set', channel: 0, blocking: true },
    { name: 'r', kind: 'pipe-read', channel: 1, blocking: false },
    { name: 'w', kind: 'pipe-write', channel: 1, blocking: false },
  ];
  const init = parseSyntax('init:\n  A = epoll_create(1)\n  r, w = pipe()\n', '').init;
  const valid = fc.property(arbitraryCall(profileOf('2.6.20'), descriptors), (call) => {
    const program: Program = { name: '', meta: [], init, threads: [[call]], expect: [] };
    return problemOf(program) === null;
  });
  const spec = fc.property(arbitraryKernelSpec(), (text) =>
    /^2\.(6\.20$|5\.44\+sys_epoll-v11)/.test(text),
  );
  const aioSpec = fc.property(arbitraryKernelSpec(AIO_KERNELS), (text) =>
    /^(2\.6\.20(\+fs-aio(\+aio-.*)?)?|3\.1(\+.*)?)$/.test(text),
  );
  const schedule = fc.property(arbitrarySchedule({ threads: 3 }), (runs) =>
    runs.every(([thread, steps], i) => thread < 3 && steps > 0 && runs[i - 1]?.[0] !== thread),
  );

  t.doesNotThrow(() => fc.assert(valid, { seed: SEED, numRuns: 500 }));
  t.doesNotThrow(() => fc.assert(spec, { seed: SEED }));
  t.doesNotThrow(() => fc.assert(aioSpec, { seed: SEED }));
  t.doesNotThrow(() => fc.assert(schedule, { seed: SEED }));
});

t.test(
  'the size order is by threads, calls, concurrent calls, conditions, arguments',
  async (t) => {
    const size = (text: string) => sizeOf(parseSyntax(text, ''));

    t.ok(compareSizes(size('T1:\n sleep(9)\n sleep(9)'), size('T1:\n sleep(1)\nT2:\n')) < 0);
    t.ok(
      compareSizes(size('init:\n sleep(9)\nT1:\n sleep(9)'), size('T1:\n sleep(1)\n sleep(1)')) < 0,
    );
    t.ok(compareSizes(size('T1:\n sleep(1)'), size('T1:\n sleep(2)')) < 0);
    t.equal(compareSizes(size('T1:\n x = sleep(1)'), size('T1:\n y = sleep(1)')), 0);
  },
);
