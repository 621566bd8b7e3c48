import { expect, test } from 'vitest';
import { busySecondsOf, roundTripsOf } from './measure.ts';

test('reads the times of answers and leaves the summary of ping alone', () => {
  const output = `PING 10.0.0.2 (10.0.0.2) 56(84) bytes of data.
64 bytes from 10.0.0.2: icmp_seq=1 ttl=64 time=0.051 ms
64 bytes from 10.0.0.2: icmp_seq=2 ttl=64 time=1.2 ms

--- 10.0.0.2 ping statistics ---
2 packets transmitted, 2 received, 0% packet loss, time 1ms
rtt min/avg/max/mdev = 0.051/0.6/1.2/0.1 ms
`;
  expect(roundTripsOf(output)).toEqual([0.051, 1.2]);
});

test('counts what the processors did, without idling and waiting for disks', () => {
  expect(busySecondsOf('cpu  100 20 300 9999 8888 4 50 6 0 0\ncpu0 1 1 1 1\n')).toBe(4.8);
});
