import Metainfo
import Wire

extension DHT {
  /// What the node looks like now.
  public var status: DHTStatus {
    var status = figures
    for network in networks {
      let counts = network.table.counts(at: clock)
      let family = DHTStatus.Family(
        id: network.table.id, externalAddress: network.votes.settled, goodNodes: counts.good,
        questionableNodes: counts.questionable, spareNodes: counts.spares)
      if network.family == .v4 { status.v4 = family } else { status.v6 = family }
    }
    status.lookups = waiting.count
    for lookup in lookups where !lookup.isRefresh { status.lookups += 1 }
    status.torrents = peers.torrentCount
    status.peers = peers.count
    status.items = items.count
    return status
  }

  /// What to keep for the next run: good nodes first.
  public var state: DHTState {
    var state = DHTState()
    for network in networks {
      let nodes = Array(network.table.nodes)
      let good = nodes.filter { $0.isGood(at: clock) }
      let rest = nodes.filter { !$0.isGood(at: clock) && $0.misses == 0 }
      state.nodes += (good + rest).prefix(DHTLimits.savedNodes).map(\.contact)
      if network.family == .v4 { state.id = network.table.id } else { state.id6 = network.table.id }
    }
    return state
  }
}
