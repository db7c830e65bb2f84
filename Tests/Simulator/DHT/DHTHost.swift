import Discovery
import Metainfo
import Wire

/// A machine with a node of the DHT on it; a class, because the value in it is owned by one.
final class DHTHost {
  let number: Int
  let endpoint: PeerEndpoint
  /// From it to the middle of the network, in microseconds.
  let latency: Int64
  /// Only those can reach it whom it has written to of late.
  let isBehindNAT: Bool
  /// How it is hostile; nil where it is honest.
  let vice: DHTVice?
  var dht: DHT
  var isUp = true
  /// On which side it is when the network falls apart.
  var side = 0
  /// By how much its clock is ahead of the world's, in microseconds.
  var skew: Int64 = 0
  /// Its clock has jumped in this run, so that what it kept may have expired.
  var hasJumped = false
  /// When its timer is set for.
  var armed: Int64?
  /// What it looks for.
  var errands: [DHTLookupID: DHTErrand] = [:]
  /// The newest head of each dataset that it knows: what a real node has on disk.
  var heads: [Int: Int64] = [:]
  /// The newest head of each dataset that this run of it has answered with.
  var answered: [Int: Int64] = [:]
  /// Whom a NAT lets in, and until when.
  private var openings: [PeerEndpoint: Int64] = [:]

  init(
    number: Int, endpoint: PeerEndpoint, latency: Int64, isBehindNAT: Bool, vice: DHTVice?,
    dht: consuming DHT
  ) {
    (self.number, self.endpoint, self.latency) = (number, endpoint, latency)
    (self.isBehindNAT, self.vice) = (isBehindNAT, vice)
    self.dht = dht
  }

  var isHonest: Bool { vice == nil }

  /// What its clock shows.
  func time(_ now: Int64) -> Duration { .microseconds(now + skew) }

  /// When its node is to be called, by the world's clock.
  var nextWake: Int64? {
    guard let (seconds, attoseconds) = dht.deadline?.components else { return nil }
    return seconds * 1_000_000 + attoseconds / 1_000_000_000_000 - skew
  }

  var nodeID: NodeID { dht.status.v4?.id ?? .zero }

  func open(_ endpoint: PeerEndpoint, until time: Int64, now: Int64) {
    if openings.count >= 512 { openings = openings.filter { $0.value >= now } }
    openings[endpoint] = time
  }

  func isOpen(to endpoint: PeerEndpoint, now: Int64) -> Bool {
    openings[endpoint].map { $0 >= now } ?? false
  }

  /// A node that begins anew, with what was kept.
  func restart(_ dht: consuming DHT) {
    self.dht = dht
    isUp = true
    armed = nil
    hasJumped = false
    (errands, answered, openings) = ([:], [:], [:])
  }
}

/// Bytes that honest nodes send to places where nobody is: those in whose names the hostile ask, and
/// those that they invent. Both stand for somebody who never asked for anything.
struct Ledger {
  /// An answer may be so many times as long as the question, with a probe of whoever asks: a `get`
  /// of 87 bytes or more is answered with up to 1,400, as BEP 44 has it.
  static let mostReflected = 17.0

  /// The worst of one datagram, and all together.
  private(set) var worst = 0.0
  private(set) var reflected = 0
  private(set) var asked = 0
  /// Queries to invented nodes.
  private(set) var uncalled = 0
  private(set) var uncalledBytes = 0

  mutating func uncalled(_ bytes: [UInt8], _ host: DHTHost) {
    uncalled += 1
    uncalledBytes += bytes.count
  }

  /// A question in somebody's name was answered with so many bytes. Returns what is wrong with it.
  mutating func reflected(_ bytes: Int, of question: Int) -> String? {
    reflected += bytes
    asked += question
    let factor = Double(bytes) / Double(max(1, question))
    worst = max(worst, factor)
    guard factor > Self.mostReflected else { return nil }
    return "answers \(question) bytes in somebody's name with \(bytes)"
  }
}
