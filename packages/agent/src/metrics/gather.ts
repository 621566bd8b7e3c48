/** One scrape of an agent. Scrapes that come together share one look at the data path. */
import type { Agent } from '../agent.ts';
import { readAllCounters, viewPeers, viewStatus } from '../views.ts';
import { renderExposition } from './exposition.ts';
import { ownUse, useOf } from './process-use.ts';
import { samplesOf } from './samples.ts';
import type { Snapshot } from './samples.ts';

/** Gives a function that renders the metrics of an agent. */
export function metricsOf(agent: Agent): () => Promise<string> {
  let underWay: Promise<string> | undefined;
  return () => {
    underWay ??= takeSnapshot(agent)
      .then((snapshot) => renderExposition(samplesOf(snapshot)))
      .finally(() => (underWay = undefined));
    return underWay;
  };
}

async function takeSnapshot(agent: Agent): Promise<Snapshot> {
  const counters = await readAllCounters(agent);
  const pid = agent.host.keeper.attached?.hello.pid;
  return {
    status: viewStatus(agent, counters),
    peers: viewPeers(agent, counters),
    hasCounters: counters !== undefined,
    punts: agent.host.driver.punts,
    agentUse: ownUse(),
    datapathUse: pid === undefined ? undefined : useOf(pid),
  };
}
