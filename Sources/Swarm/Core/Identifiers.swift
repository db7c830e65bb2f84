/// A torrent of the node. Made by `Swarm.add`; never used again for another one.
public struct TorrentID: Hashable, Sendable, CustomStringConvertible {
  /// Counted from 0.
  public let rawValue: UInt32
  init(_ rawValue: UInt32) { self.rawValue = rawValue }
  /// The number.
  public var description: String { "\(rawValue)" }
}

/// A connection to a peer, from the attempt to its end. Made by `Swarm`; never used again.
public struct ConnectionID: Hashable, Sendable, CustomStringConvertible {
  /// Its place in tables of connections, used again after its end: small.
  public let slot: UInt32
  /// How often the slot was used before.
  let generation: UInt32
  init(slot: UInt32, generation: UInt32) {
    self.slot = slot
    self.generation = generation
  }
  /// Slot and generation.
  public var description: String { "\(slot).\(generation)" }
}

/// Who named a peer: whom the user names is tried first, and never given up.
public enum PeerOrigin: Hashable, Sendable {
  /// The user, or a link.
  case user
  /// The DHT. BEP 5.
  case dht
  /// The local network. BEP 14, mDNS.
  case local
  /// Connected before, for another torrent of the same dataset.
  case met
}

/// Somebody's wish to read a range of a torrent's content.
public struct ReadID: Hashable, Sendable {
  let rawValue: UInt64
  init(_ rawValue: UInt64) { self.rawValue = rawValue }
}

/// A job for the hash threads.
public struct HashJobID: Hashable, Sendable {
  let rawValue: UInt64
  init(_ rawValue: UInt64) { self.rawValue = rawValue }
}

/// All who have the read key of one private dataset: its torrents and connections belong to it, and have
/// nothing to do with those of another group or of none. docs/private.md.
public struct PrivateGroup: Hashable, Sendable {
  /// What is derived from the read key, 32 bytes; tells nothing to who has not got the key.
  public let discoveryID: [UInt8]
  /// The group of the discovery id.
  public init(discoveryID: [UInt8]) { self.discoveryID = discoveryID }
}
