/** Which calls and flags generated programs may use. */

import {
  SYSCALLS,
  flagOf,
  hasAio,
  isAioModel,
  isSince,
  isSysEpoll,
  kernelIdOf,
  type KernelId,
} from '../../abi/index.ts';

/** What a kernel has, as far as generated programs care. */
export interface KernelProfile {
  /** `2.6.20`, `2.5.44+sys_epoll-v11`, `host`. */
  readonly selector: string;
  readonly calls: ReadonlySet<string>;
  /** EPOLLET and EPOLLONESHOT mean something; sets are level-triggered by default. */
  readonly triggers: boolean;
  /** `/dev/epoll`, its ioctls and mappings. */
  readonly device: boolean;
  readonly addAndTest: boolean;
  readonly rdhup: boolean;
  /** Bytes of an empty pipe. */
  readonly pipeCapacity: number;
  readonly aio: AioProfile;
}

/** What a kernel has of AIO. */
export interface AioProfile {
  /** Of a hundred programs, those that are about AIO. */
  readonly share: number;
  /** A model: it has the calls that are no system calls. */
  readonly model: boolean;
  /** Requests can wait on a set. */
  readonly epollWait: boolean;
  /** Requests on pipes and sockets wait on their own. */
  readonly fallback: boolean;
  /** A block device whose requests complete later. */
  readonly disk: boolean;
  /** Of a hundred lists, those with an element that is refused. */
  readonly badElements: number;
}

function aioOf(kernel: KernelId): AioProfile {
  const has = (patch: string): boolean => kernel.patches.includes(patch);
  const batches = !kernel.host && isSince(kernel, '3.0');
  return {
    share: !hasAio(kernel)
      ? 0
      : kernel.host
        ? 25
        : batches
          ? 100
          : kernel.patches.length > 0
            ? 92
            : 66,
    model: isAioModel(kernel),
    epollWait: has('aio-epoll-wait'),
    fallback: has('aio-fallback-nonblock'),
    disk: batches,
    // Where lists are submitted as one batch.
    badElements: batches ? 35 : 6,
  };
}

/** The profile of a model kernel or of the host, by selector. */
export function profileOf(selector: string): KernelProfile {
  const kernel = kernelIdOf(selector);
  const has = (flag: string): boolean => flagOf(flag)?.exists(kernel) ?? false;
  return {
    selector,
    calls: new Set(SYSCALLS.filter((spec) => spec.exists(kernel)).map((spec) => spec.name)),
    triggers: has('EPOLLET'),
    device: isSysEpoll(kernel),
    addAndTest: has('EPOLL_CTL_ADD_AND_TEST'),
    rdhup: has('EPOLLRDHUP'),
    pipeCapacity: isSysEpoll(kernel) ? 4096 : 65536,
    aio: aioOf(kernel),
  };
}

/** The same kernel for programs that are not about AIO. */
export function withoutAio(profile: KernelProfile): KernelProfile {
  return { ...profile, aio: { ...profile.aio, share: 0 } };
}
