// Tests how addresses of coordinators are read.
import { describe, expect, it } from 'vitest';
import { formatAddress, isLoopback, parseAddress } from '../../../worker/address.js';

describe('an address', () => {
  it.each([
    ['host.example:7000', { tls: true, host: 'host.example', port: 7000 }, 'wss://host.example:7000'],
    ['wss://10.0.0.1:1/', { tls: true, host: '10.0.0.1', port: 1 }, 'wss://10.0.0.1:1'],
    ['WS://127.0.0.1:65535', { tls: false, host: '127.0.0.1', port: 65535 }, 'ws://127.0.0.1:65535'],
    ['ws://[::1]:80', { tls: false, host: '::1', port: 80 }, 'ws://[::1]:80'],
  ])('%s is read and written', (text, address, written) => {
    expect(parseAddress(text)).toEqual(address);
    expect(formatAddress(address)).toBe(written);
  });

  it.each(['host', ':7000', 'host:', 'host:65536', 'http://host:1', 'a b:1', '::1:80', 'host:1/path', '[x]:1'])(
    '%s is none',
    (text) => {
      expect(() => parseAddress(text)).toThrow(expect.objectContaining({ code: 'E_USAGE' }));
    },
  );

  it('is of this machine, or not', () => {
    expect(['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1'].map(isLoopback)).toEqual([true, true, true, true]);
    expect(['0.0.0.0', '::', '128.0.0.1', '10.0.0.1', 'fe80::1', '::ffff:8.8.8.8'].map(isLoopback)).toEqual(
      new Array(6).fill(false),
    );
  });
});
