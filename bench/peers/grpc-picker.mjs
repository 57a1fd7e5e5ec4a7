import { setTimeout as sleep } from 'node:timers/promises';
import { connectivityState, experimental } from '@grpc/grpc-js';

/** The shortest there is. */
const UPDATE = 100;

const CONFIGS = {
  round_robin: {},
  weighted_round_robin: {
    enable_oob_load_report: true,
    blackout_period: '0s',
    weight_update_period: `${UPDATE / 1000}s`,
  },
};

/**
 * One of grpc-js's own pickers, made by its own balancer, driven through `experimental` with subchannels that say that
 * they are connected and healthy. Weights reach it as they do in production, as load reports; out of band, since
 * reports that come with each call would cost each pick a closure more.
 */
export async function grpcPicker(kind, weights) {
  let picker;
  const report = [];
  const subchannelOf = ({ port }) => ({
    getConnectivityState: () => connectivityState.READY,
    isHealthy: () => true,
    getAddress: () => String(port),
    getOrCreateDataProducer: () => ({
      addDataWatcher: watcher => {
        report[port] = watcher;
      },
      removeDataWatcher() {},
    }),
    getRealSubchannel() {
      return this;
    },
    port,
    ref() {},
    unref() {},
    getChannelzRef() {},
    startConnecting() {},
    addConnectivityStateListener() {},
    removeConnectivityStateListener() {},
    addHealthStateWatcher() {},
    removeHealthStateWatcher() {},
  });
  const balancer = new experimental.ChildLoadBalancerHandler({
    createSubchannel: subchannelOf,
    updateState: (_, latest) => {
      picker = latest;
    },
    requestReresolution() {},
    addChannelzChild() {},
    removeChannelzChild() {},
  });
  const config = experimental.parseLoadBalancingConfig({ [kind]: CONFIGS[kind] });
  const endpoints = weights.map((_, port) => ({ addresses: [{ host: '127.0.0.1', port }] }));
  balancer.updateAddressList(experimental.statusOrFromValue(endpoints), config, {}, '');
  weights.forEach((weight, port) => {
    report[port]?.onMetricsUpdate({ rps_fractional: weight, application_utilization: 1, eps: 0 });
  });
  await sleep(2 * UPDATE);
  const made = picker;
  balancer.destroy();
  return made;
}
