import Metainfo
import Wire

/// How a host is hostile. All of them have a node that behaves towards those it asks, so that they are
/// in everyone's tables; what differs is what others are answered.
enum DHTVice: String, CaseIterable {
  /// Answers pings and nothing else.
  case mute
  /// Answers with bytes that are no message, or not quite one.
  case babbler
  /// Tells of nodes next to the target where nobody is.
  case inventor
  /// Tells of nobody but other hostile nodes, so that lookups stay among them.
  case cartel
  /// Takes all that is put and announced, says so, and keeps nothing.
  case hoarder
  /// Keeps the first head that it saw, and gives that to everyone for ever.
  case replayer
  /// Gives heads with higher numbers and signatures of others, and other values for a hash.
  case forger
  /// Gives peers that do not exist.
  case peerForger
  /// Answers with more nodes and peers than anybody asked for, in datagrams of any size.
  case giant
  /// Asks in the names of others, and answers what it was not asked.
  case reflector
  /// Asks and stores without end.
  case flooder
  /// Sits next to a head under an id that fits its address (BEP 42), chosen among many.
  case sybil
  /// Sits next to a head under the best id there is, which fits no address.
  case pretender
}

/// What the hostile know together.
struct Underworld {
  /// Where they are.
  var members: [NodeContact] = []
  /// The first head of each dataset that one of them has seen, and the newest.
  var oldest: [SHA1Digest: MutableItem] = [:]
  var newest: [SHA1Digest: MutableItem] = [:]
  /// Queries of others that they have answered with lies.
  var lies = 0

  mutating func saw(_ item: MutableItem) {
    if oldest[item.target] == nil { oldest[item.target] = item }
    if item.sequence >= newest[item.target]?.sequence ?? .min { newest[item.target] = item }
  }
}
