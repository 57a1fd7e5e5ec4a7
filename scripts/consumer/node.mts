import { createClient, type Discovery, type HealthCheck } from 'fairlead';
import { dns } from 'fairlead/dns';
import { tcpCheck } from 'fairlead/tcp';

export const source: Discovery = dns({ host: 'users.internal', port: 80 });
export const client: ReturnType<typeof createClient> = createClient({ discovery: source });
export const check: HealthCheck = tcpCheck({ port: 9000 });
