import Metainfo
import Wire

/// What one connection was told of other peers, and what it may tell us. BEP 11.
///
/// Invariant: who is in `told` was added in a message and not yet dropped in one.
struct PeerExchangeLedger: Sendable {
  /// When the next message may go; nil if there is none ever.
  var nextMessage: Duration? { isPrivate ? nil : earliest }

  private let isPrivate: Bool
  /// In the order in which they were told: no set, whose order would differ from run to run.
  private var told: [PeerEndpoint] = []
  private var earliest = Duration.zero
  private var lastAccepted: Duration?

  /// A new connection. In private torrents peers come from the tracker alone. BEP 27.
  init(isPrivate: Bool = false) { self.isPrivate = isPrivate }

  /// What to tell now; nil if nothing changed, or the last message is less than a minute old.
  ///
  /// `current` are the peers that we are connected to now and know to be listening at that endpoint,
  /// because we connected to it there or it named the port. The receiver itself, at `receiver`, is
  /// left out. What does not fit goes with the next message.
  mutating func message(
    current: [PeerExchange.Contact], except receiver: PeerEndpoint? = nil, now: Duration
  ) -> PeerExchange? {
    if isPrivate || now < earliest { return nil }
    var here: Set<PeerEndpoint> = []
    let known = Set(told)
    var message = PeerExchange()
    for contact in current where contact.endpoint.port > 0 && contact.endpoint != receiver {
      guard here.insert(contact.endpoint).inserted, !known.contains(contact.endpoint) else {
        continue
      }
      if message.added.count < PolicyLimits.exchangeContacts,
        told.count < PolicyLimits.exchangeTold
      {
        message.added.append(contact)
        told.append(contact.endpoint)
      }
    }
    let gone = told.lazy.filter { !here.contains($0) }
    message.dropped = Array(gone.prefix(PolicyLimits.exchangeContacts))
    if message.added.isEmpty && message.dropped.isEmpty { return nil }
    let dropped = Set(message.dropped)
    told.removeAll { dropped.contains($0) }
    earliest = now + PolicyLimits.exchangeInterval
    return message
  }

  /// The peers that a message of this connection tells of; nil if it is to be ignored, because they
  /// come too often or the torrent is private.
  ///
  /// Of each address one endpoint, as BEP 11 advises: else a message could aim a hundred connections
  /// at one machine. In a local network and on loopback all of them, for there they are nodes.
  mutating func accept(_ message: PeerExchange, now: Duration) -> [PeerExchange.Contact]? {
    if isPrivate { return nil }
    if let last = lastAccepted, now - last < PolicyLimits.exchangeTolerance { return nil }
    let isFirst = lastAccepted == nil
    lastAccepted = now
    var endpoints: Set<PeerEndpoint> = []
    var addresses: Set<IPAddress> = []
    let contacts = message.added.filter { contact in
      let endpoint = contact.endpoint.unmapped
      guard endpoint.port > 0, endpoint.address.isUnicast else { return false }
      guard endpoints.insert(endpoint).inserted else { return false }
      return addresses.insert(endpoint.address).inserted || endpoint.address.isLocal
    }
    // The first message has all peers that the other side has, the others what changed.
    return isFirst ? contacts : Array(contacts.prefix(PolicyLimits.exchangeContacts))
  }
}
