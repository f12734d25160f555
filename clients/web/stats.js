// What the browser measured of a call, boiled down to the numbers people ask about.
//
// Losses are over the time since the reading before, so a bad minute doesn't stain the hour.

export class CallStats {
  #previous = new Map();

  /** `report` is an `RTCStatsReport`. Times in ms, losses in percent, `null` where unknown. */
  read(report) {
    const all = [...report.values()];
    const byId = new Map(all.map((stat) => [stat.id, stat]));
    const audio = (type) => all.filter((stat) => stat.type === type && stat.kind === 'audio');
    const sent = audio('outbound-rtp')[0];
    const received = audio('inbound-rtp');
    const echoed = audio('remote-inbound-rtp')[0];
    const path = selectedPath(all, byId);
    const lost = sum(received, 'packetsLost');
    const arrived = sum(received, 'packetsReceived');
    return {
      rttMs: toMs(path?.currentRoundTripTime ?? echoed?.roundTripTime),
      lossInPercent: this.#share('lost', lost, lost + arrived),
      lossOutPercent: percent(echoed?.fractionLost),
      jitterMs: toMs(
        received.length > 0
          ? Math.max(...received.map((stat) => stat.jitter ?? 0))
          : echoed?.jitter,
      ),
      codec: codecName(byId.get((sent ?? received[0])?.codecId)),
      packetsSent: sent?.packetsSent ?? 0,
      packetsReceived: arrived,
      concealedPercent: this.#share(
        'concealed',
        sum(received, 'concealedSamples'),
        sum(received, 'totalSamplesReceived'),
      ),
      path: path ? describePath(path, byId) : null,
    };
  }

  #share(name, part, total) {
    const before = this.#previous.get(name) ?? { part: 0, total: 0 };
    this.#previous.set(name, { part, total });
    const grown = total - before.total;
    return grown > 0 ? round((100 * Math.max(0, part - before.part)) / grown) : null;
  }
}

function selectedPath(all, byId) {
  const transport = all.find((stat) => stat.type === 'transport' && stat.selectedCandidatePairId);
  if (transport) return byId.get(transport.selectedCandidatePairId);
  return all.find(
    (stat) =>
      stat.type === 'candidate-pair' &&
      (stat.selected || (stat.nominated && stat.state === 'succeeded')),
  );
}

function codecName(codec) {
  if (!codec) return null;
  const name = codec.mimeType.replace(/^audio\//, '');
  return name === 'red' ? 'opus' : name;
}

function describePath(pair, byId) {
  const local = byId.get(pair.localCandidateId);
  const remote = byId.get(pair.remoteCandidateId);
  const via = (candidate) => candidate?.candidateType ?? 'unknown';
  return `${local?.protocol ?? 'udp'}, ${via(local)} → ${via(remote)}`;
}

function sum(stats, field) {
  return stats.reduce((total, stat) => total + (stat[field] ?? 0), 0);
}

const toMs = (seconds) => (seconds === undefined ? null : round(seconds * 1000));
const percent = (fraction) => (fraction === undefined ? null : round(fraction * 100));
const round = (number) => Math.round(number * 10) / 10;
