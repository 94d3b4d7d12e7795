import t from 'tap';
import { kernelConfig } from './kernel.ts';
import {
  epMaxMs,
  isInfiniteMs,
  jiffiesToMsecs,
  longMax,
  msecsToJiffies,
  offsetAsMs,
  ticksUntil,
  toAbs,
  toRel,
} from './series/ep-time.ts';

/** Runs `body` as on a machine with that HZ and that width of long. */
function on<T>(hz: number, longBits: 32 | 64, body: () => T): T {
  const saved = { ...kernelConfig };
  kernelConfig.hz = hz;
  kernelConfig.longBits = longBits;
  try {
    return body();
  } finally {
    Object.assign(kernelConfig, saved);
  }
}

t.test('the longest finite timeout, and what is left of "never" in an int', async (t) => {
  const rows: readonly (readonly [number, bigint, bigint, number])[] = [
    [100, 21474826n, 92233720368547748n, 2061584292],
    [250, 8589930n, 36893488147419099n, -1752346661],
    [300, 7158275n, 30744573456182582n, -744461002],
    [1000, 2147482n, 9223372036854774n, -1511828490],
    [1024, 2097151n, 9007199254740991n, -1],
  ];
  for (const [hz, max32, max64, asInt] of rows) {
    t.equal(on(hz, 32, epMaxMs), max32, `HZ ${hz}, 32 bits`);
    t.equal(on(hz, 64, epMaxMs), max64, `HZ ${hz}, 64 bits`);
    t.equal(
      on(hz, 64, () => toRel(longMax(), 0n)),
      asInt,
      `HZ ${hz}, 64 bits, as an int`,
    );
    t.equal(
      on(hz, 32, () => toRel(longMax(), 0n)),
      Number(max32),
      `HZ ${hz}, 32 bits, as an int`,
    );
  }
});

t.test('milliseconds become ticks rounded up; ticks become milliseconds', async (t) => {
  const ticks = (hz: number, ms: number, longBits: 32 | 64 = 32): bigint =>
    on(hz, longBits, () => msecsToJiffies(BigInt(ms)));
  const ms = (hz: number, j: number): bigint => on(hz, 32, () => jiffiesToMsecs(BigInt(j)));

  t.same(
    [1, 4, 5].map((n) => ticks(250, n)),
    [1n, 1n, 2n],
  );
  t.same(
    [1, 10, 11].map((n) => ticks(100, n)),
    [1n, 1n, 2n],
  );
  t.same(
    [1, 3, 4, 1000].map((n) => ticks(300, n)),
    [1n, 1n, 2n, 300n],
  );
  t.same(
    [0, 1, 1000].map((n) => ticks(1024, n)),
    [0n, 2n, 1024n],
  );
  t.same(
    [0, 1, 7].map((n) => ticks(2000, n)),
    [0n, 2n, 14n],
  );
  t.same(
    [1, 2].map((n) => ms(250, n)),
    [4n, 8n],
  );
  t.same(
    [1, 2, 300].map((n) => ms(300, n)),
    [3n, 6n, 1000n],
    'rounded down',
  );
  t.same(
    [1, 2, 1024].map((n) => ms(1024, n)),
    [0n, 1n, 1000n],
    'less than a millisecond is none',
  );
  t.same(
    [1, 2, 3].map((n) => ms(2000, n)),
    [1n, 1n, 2n],
    'rounded up',
  );

  t.equal(ticks(300, 14316557, 64), 4294968n);
  t.equal(ticks(300, 14316558, 64), 1n, 'the product has wrapped at 32 bits');
  t.equal(ticks(300, 20000000, 64), 1705033n, 'an hour and a half instead of five and a half');
  t.equal(ticks(1024, 4194303, 64), 4294967n);
  t.equal(ticks(1024, 4194304, 64), 0n, 'seventy minutes are no time at all');
});

t.test('a timeout is the low half of aio_offset, as an int', async (t) => {
  t.same(
    [-1, 2 ** 31, 2 ** 32 - 1, 0, 2 ** 32, 3 * 2 ** 32, 2 ** 32 + 5, 2 ** 31 - 1].map(offsetAsMs),
    [-1, -(2 ** 31), -1, 0, 0, 0, 5, 2 ** 31 - 1],
  );
  const infinite = (hz: number, longBits: 32 | 64, ms: number): boolean =>
    on(hz, longBits, () => isInfiniteMs(ms));
  t.equal(infinite(1000, 32, 3600000), true, 'an hour');
  t.equal(infinite(1000, 32, 2147482), true);
  t.equal(infinite(1000, 32, 2147481), false);
  t.equal(infinite(1000, 64, 3600000), false);
  t.equal(infinite(1000, 64, 2 ** 31 - 1), false, 'the longest int is 24.8 days on 64 bits');
});

t.test('absolute times wrap, and one of them means never', async (t) => {
  on(1000, 32, () => {
    const boot = 2n ** 32n - 300000n;
    t.equal(toAbs(-1, boot), longMax());
    t.equal(toAbs(2147482, 0n), longMax());
    t.equal(toAbs(400000, boot), 100000n, 'past the wrap');
    t.equal(toRel(100000n, boot), 400000);
    t.equal(toRel(100000n, 100000n), 0);
    t.equal(toRel(100000n, 100001n), 0);
    t.equal(toAbs(5, longMax() - 5n), longMax(), 'a finite time that reads as never');
    t.equal(toRel(longMax(), longMax() + 7n), 2147482, 'never has no end, though it has passed');
    t.ok(ticksUntil(longMax(), boot) < 0n, 'never has passed during the first minutes after boot');
    t.ok(ticksUntil(longMax(), 0n) > 0n);
    t.ok(ticksUntil(longMax(), 2n ** 31n) < 0n);
  });
  on(1024, 64, () => {
    t.equal(toAbs(1, 10n), 12n);
    t.equal(toRel(12n, 10n), 1);
    t.equal(toRel(12n, 11n), 0, 'one tick early');
  });
  on(1000, 64, () => t.ok(ticksUntil(longMax(), 2n ** 32n) > 0n));
});
