import Metainfo
import Wire

/// What others say our address is. One node can lie, so several have to agree, each network having one
/// vote. BEP 42, "Bootstrapping".
struct AddressVotes {
  private struct Vote {
    let voter: DHTSource
    let address: IPAddress
  }

  private var votes: [Vote] = []
  /// What they have agreed on.
  private(set) var settled: IPAddress?

  init(known: IPAddress?) { settled = known }

  /// A node has told. Returns the address if that settles or changes it.
  mutating func add(_ address: IPAddress, from voter: PeerEndpoint) -> IPAddress? {
    // In a local network we have another address than outside; the one outside counts.
    if let settled, NodeID.isExempt(address), !NodeID.isExempt(settled) { return nil }
    let source = voter.address.network.map { DHTSource.network($0) } ?? .place(voter)
    votes.removeAll { $0.voter == source }
    if votes.count >= DHTLimits.votes { votes.removeFirst() }
    votes.append(Vote(voter: source, address: address))
    guard address != settled else { return nil }
    let agreeing = votes.count { $0.address == address }
    let isFirst = settled.map { NodeID.isExempt($0) && !NodeID.isExempt(address) } ?? true
    guard agreeing >= (isFirst ? DHTLimits.votesToSettle : DHTLimits.votesToChange),
      2 * agreeing > votes.count
    else { return nil }
    settled = address
    return address
  }
}
