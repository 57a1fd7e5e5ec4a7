import fairlead = require('fairlead');
import core = require('fairlead/core');
import dns = require('fairlead/dns');
import testing = require('fairlead/testing');

export const client = fairlead.createClient({
  discovery: fairlead.fixed(['10.0.0.1:80']),
  balancer: core.ring(),
});
export const call: fairlead.Call = new core.Call({ key: 'user-42' });
export const clock: core.Clock = testing.manualClock();
export const source: typeof dns.dns = dns.dns;
