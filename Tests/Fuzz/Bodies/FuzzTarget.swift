/// The fuzzers, each named as its corpus folder is.
public enum FuzzTarget: String, CaseIterable, Sendable {
  /// Bencoded values.
  case bencode
  /// `.torrent` files and info dictionaries, with their geometry.
  case metainfo
  /// Links as a person writes them.
  case magnet
  /// Payloads of hash messages, and what a tree makes of them.
  case hashes
  /// Sequences of questions, true and false answers on one hash tree.
  case merkle
  /// Handshakes of the peer protocol, in two chunks.
  case handshake
  /// Streams of peer messages, in chunks and straight.
  case framer
  /// Payloads of extension messages.
  case extensions
  /// Messages that bring heads, signed values, and sequences of heads that a node is offered.
  case heads
  /// Datagrams of routers that map ports.
  case pcp
  /// DNS messages, and announcements of BEP 14.
  case dns
  /// Sequences of all that can happen to a responder of multicast DNS.
  case mdns
  /// Sequences of all that can happen to a whole node with a small torrent.
  case session
  /// Datagrams of the DHT.
  case krpc
  /// Sequences of all that can happen to a node of the DHT.
  case dht
  /// Streams of a client of NBD, in chunks, with answers in any order.
  case nbd
  /// Boot traces, and what becomes one.
  case trace
  /// Ranges, conditions, targets and types of HTTP requests.
  case http
  /// JSON.
  case json

  /// Feeds one input. Bad input must end in an error; a broken promise stops the process.
  public func run(_ bytes: UnsafeRawBufferPointer) {
    switch self {
    case .bencode: fuzzBencode(bytes)
    case .metainfo: fuzzMetainfo(bytes)
    case .magnet: fuzzMagnet(bytes)
    case .hashes: fuzzHashes(bytes)
    case .merkle: fuzzMerkle(bytes)
    case .handshake: fuzzHandshake(bytes)
    case .framer: fuzzFramer(bytes)
    case .extensions: fuzzExtensions(bytes)
    case .heads: fuzzHeads(bytes)
    case .pcp: fuzzPCP(bytes)
    case .dns: fuzzDNS(bytes)
    case .mdns: fuzzMDNS(bytes)
    case .session: fuzzSession(bytes)
    case .krpc: fuzzKRPC(bytes)
    case .dht: fuzzDHT(bytes)
    case .nbd: fuzzNBD(bytes)
    case .trace: fuzzTrace(bytes)
    case .http: fuzzHTTP(bytes)
    case .json: fuzzJSON(bytes)
    }
  }
}

/// Takes an input apart, byte by byte; past its end come zeros.
struct FuzzReader {
  private var rest: Slice<UnsafeRawBufferPointer>

  init(_ bytes: UnsafeRawBufferPointer) { rest = bytes[...] }

  var isAtEnd: Bool { rest.isEmpty }

  mutating func byte() -> UInt8 { rest.popFirst() ?? 0 }
}

/// A promise that must hold. Says which one was broken, which a `precondition` in optimised code does
/// not.
func demand(
  _ isKept: Bool, _ what: @autoclosure () -> String = "a broken promise", line: UInt = #line,
  file: StaticString = #fileID
) {
  if !isKept { fatalError(what(), file: file, line: line) }
}
