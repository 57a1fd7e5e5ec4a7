import { createClient, type Discovery } from 'fairlead';
import { dns } from 'fairlead/dns';

export const source: Discovery = dns({ host: 'users.internal', port: 80 });
export const client: ReturnType<typeof createClient> = createClient({ discovery: source });
