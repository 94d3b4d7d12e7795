/**
 * Times of IOCB_CMD_EPOLL_WAIT (A-R74 to A-R77): relative milliseconds to absolute ticks at submission, and back at
 * every run.
 *
 * All of it is C integer arithmetic that wraps, so it is done in bigints and cut to the width of `long` or `int`
 * where C cuts. Nothing here is an operation: who calls has read jiffies.
 */

import { kernelConfig } from '../kernel.ts';

const MSEC_PER_SEC = 1000n;

function hz(): bigint {
  return BigInt(kernelConfig.hz);
}

/** LONG_MAX, which stands for "never" as an absolute time and as a number of ticks. */
export function longMax(): bigint {
  return (1n << BigInt(kernelConfig.longBits - 1)) - 1n;
}

/** An unsigned long. */
export function asUnsignedLong(value: bigint): bigint {
  return BigInt.asUintN(kernelConfig.longBits, value);
}

/** Ticks from `now` until `time`, negative when that has passed: the signed difference of two unsigned longs. */
export function ticksUntil(time: bigint, now: bigint): bigint {
  return BigInt.asIntN(kernelConfig.longBits, time - now);
}

/** EP_MAX_MSTIMEO, exactly: the smaller of two quotients of unsigned 64-bit arithmetic. */
export function epMaxMs(): bigint {
  const product = BigInt.asUintN(64, MSEC_PER_SEC * longMax()) / hz();
  const headroom = (longMax() - 999n) / hz();
  return product < headroom ? product : headroom;
}

function dividesSecond(): boolean {
  return MSEC_PER_SEC % hz() === 0n;
}

function isMultipleOfSecond(): boolean {
  return hz() > MSEC_PER_SEC && hz() % MSEC_PER_SEC === 0n;
}

/** msecs_to_jiffies() of a non-negative int: rounded up; the product wraps at 32 bits when HZ fits 1000 neither way. */
export function msecsToJiffies(ms: bigint): bigint {
  if (dividesSecond()) return (ms + MSEC_PER_SEC / hz() - 1n) / (MSEC_PER_SEC / hz());
  // The constant is a long: on 64 bits nothing wraps where it is a factor; below, the sum does not, only the product.
  if (isMultipleOfSecond()) return asUnsignedLong(ms * (hz() / MSEC_PER_SEC));
  return asUnsignedLong(BigInt.asUintN(32, ms * hz()) + MSEC_PER_SEC - 1n) / MSEC_PER_SEC;
}

/** jiffies_to_msecs(): an unsigned int; rounded down when HZ fits 1000 neither way, so that less than 1 ms is 0. */
export function jiffiesToMsecs(ticks: bigint): bigint {
  if (dividesSecond()) return BigInt.asUintN(32, (MSEC_PER_SEC / hz()) * ticks);
  const perMs = hz() / MSEC_PER_SEC;
  if (isMultipleOfSecond()) return BigInt.asUintN(32, asUnsignedLong(ticks + perMs - 1n) / perMs);
  return BigInt.asUintN(32, asUnsignedLong(ticks * MSEC_PER_SEC) / hz());
}

/** aio_offset as the parameter of ep_relative_ms_to_jiffies(): its low 32 bits, signed. */
export function offsetAsMs(offset: number): number {
  return Number(BigInt.asIntN(32, BigInt(offset)));
}

/** ms < 0 or ms >= EP_MAX_MSTIMEO: no end. */
export function isInfiniteMs(ms: number): boolean {
  return ms < 0 || BigInt(ms) >= epMaxMs();
}

/** ep_relative_ms_to_jiffies() (A-R74): LONG_MAX, or `now` plus the ticks, which may be LONG_MAX as well. */
export function toAbs(ms: number, now: bigint): bigint {
  return isInfiniteMs(ms) ? longMax() : asUnsignedLong(now + msecsToJiffies(BigInt(ms)));
}

/** ep_jiffies_to_relative_ms() (A-R75): an int; 0 once the time has come, EP_MAX_MSTIMEO cut to an int for LONG_MAX. */
export function toRel(expires: bigint, now: bigint): number {
  if (expires === longMax()) return Number(BigInt.asIntN(32, epMaxMs()));
  const left = ticksUntil(expires, now);
  if (left <= 0n) return 0;
  return Number(BigInt.asIntN(32, jiffiesToMsecs(asUnsignedLong(expires - now))));
}
