import Metainfo
import Store
import Swarm
import Wire

/// One connection of the core: what it sends is read along.
struct SessionLink {
  let endpoint: PeerEndpoint
  let isIncoming: Bool
  var isConnecting: Bool
  /// Whether the peer's handshake was sent whole.
  var isGreeted = false
  /// Given to the system, and not taken by it: a block as its request, buffer and zeros.
  private(set) var queue: [Outgoing] = []
  private var firstTaken = 0
  private(set) var queuedBytes = 0
  /// Of that, what is not blocks.
  private(set) var queuedMessageBytes = 0

  /// What the core asked of the peer, in order; bounded, the oldest are forgotten.
  var requests: [BlockRequest] = []
  var hashRequests: [HashRequest] = []
  var metadataRequests: [UInt32] = []
  /// Bytes that the peer has sent and the core has not read.
  var inbox: ArraySlice<UInt8> = []

  private var reader = HandshakeReader()
  private var framer = PeerFramer()

  init(endpoint: PeerEndpoint, isIncoming: Bool) {
    (self.endpoint, self.isIncoming, isConnecting) = (endpoint, isIncoming, !isIncoming)
  }

  /// Queues what the core sends; everything in it must be a message that a peer can understand.
  mutating func append(_ outgoing: Outgoing, _ take: (PeerMessage, [UInt8]) -> Void) {
    queue.append(outgoing)
    queuedBytes += outgoing.byteCount
    switch outgoing {
    case .bytes(let bytes):
      demand(!bytes.isEmpty)
      queuedMessageBytes += bytes.count
      read(bytes, take)
    case .block(let request, _, let zeros):
      demand(reader.missingByteCount == 0 && zeros <= request.length)
      demand(framer.demand.isMessages, "a block in the middle of a message")
      _ = take(.piece(request), [])
    }
  }

  private mutating func read(_ bytes: [UInt8], _ take: (PeerMessage, [UInt8]) -> Void) {
    let chunk = bytes.span.bytes
    var offset = 0
    do {
      if reader.missingByteCount > 0 { offset = try reader.append(chunk) }
      while let element = try framer.next(in: chunk, at: &offset) {
        guard case .message(let message) = element else {
          fatalError("data of a block among messages")
        }
        let body = framer.withBody(in: chunk) { $0.withUnsafeBytes { Array($0) } }
        note(message, body)
        take(message, body)
      }
    } catch { fatalError("\(error)") }
    demand(offset == bytes.count && framer.demand.isMessages)
  }

  private mutating func note(_ message: PeerMessage, _ body: [UInt8]) {
    switch message {
    case .request(let request): requests.append(request)
    case .cancel(let request): requests.removeAll { $0 == request }
    case .hash(.request(let request)): hashRequests.append(request)
    case .extended(id: SessionWire.metadata, _):
      if case .request(let piece)? = try? MetadataMessage(payload: body.span.bytes) {
        metadataRequests.append(piece)
      }
    default: break
    }
    if requests.count > 512 { requests.removeFirst(256) }
    if hashRequests.count > 512 { hashRequests.removeFirst(256) }
    if metadataRequests.count > 512 { metadataRequests.removeFirst(256) }
  }

  /// The system takes up to so many bytes; calls `check` with each block that is gone.
  mutating func take(_ most: Int, _ check: (BlockRequest, BufferHandle, UInt32) -> Void) -> Int {
    let count = min(most, queuedBytes)
    var rest = count
    while rest > 0 {
      let left = queue[0].byteCount - firstTaken
      let now = min(rest, left)
      rest -= now
      firstTaken += now
      if case .bytes = queue[0] { queuedMessageBytes -= now }
      if case .block(let request, let buffer, let zeros) = queue[0] {
        check(request, buffer, zeros)
      }
      if now == left {
        firstTaken = 0
        queue.removeFirst()
      }
    }
    queuedBytes -= count
    return count
  }
}

extension PeerFramer.Demand {
  var isMessages: Bool { if case .messages = self { true } else { false } }
}

/// Numbers by which the peers of the game want messages of extensions.
enum SessionWire {
  static let metadata: UInt8 = 3
  static let exchange: UInt8 = 4
  static let dontHave: UInt8 = 7
  static let uploadOnly: UInt8 = 8
  static let zstd: UInt8 = 10

  /// A message and its body as they go over the wire.
  static func bytes(_ message: PeerMessage, _ body: [UInt8] = []) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: message.encodedByteCount)
    bytes.withUnsafeMutableBytes { _ = message.encode(into: $0) }
    return bytes + body
  }

  static func bytes(extension id: UInt8, _ payload: [UInt8]) -> [UInt8] {
    bytes(.extended(id: id, byteCount: payload.count), payload)
  }
}
