/** Whether an address, with or without a scheme, names no port, or one from 1 to 65535. */
export function hasPossiblePort(address: string): boolean {
  const host = address.replace(/^[a-z]+:\/\//i, '').replace(/\/.*$/, '');
  // Of an IPv6 address without brackets nobody can tell where a port would begin.
  const port = /^(?:\[[^\]]*\]|[^:]*):([^:]*)$/.exec(host)?.[1];
  if (port === undefined) return true;
  return /^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535;
}
