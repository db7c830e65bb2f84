import Metainfo
import Store
import Swarm
import Wire

/// A connection of a node: what the shell of a real one does with it.
final class NodeLink: SocketOwner {
  unowned let node: SimulatedNode
  let id: ConnectionID
  /// When it was begun.
  let since: Duration
  var socket: Socket?
  /// What is to be sent; of the first, `sentOfFirst` bytes are gone.
  private(set) var queue: [Outgoing] = []
  private var first = 0
  private var sentOfFirst = 0
  private(set) var queuedBytes = 0
  private var tap: WireTap

  init(node: SimulatedNode, id: ConnectionID) {
    (self.node, self.id) = (node, id)
    since = node.now
    tap = WireTap(dataset: node.dataset)
  }

  func append(_ outgoing: Outgoing) {
    queue.append(outgoing)
    if case .bytes(let bytes) = outgoing { queuedBytes += bytes.count }
    if let fault = tap.take(outgoing) {
      node.world.fail("host \(node.number) sends to \(id): \(fault)")
    }
    node.check(self)
  }

  /// Gives the system what it takes; how many bytes.
  func flush() -> Int {
    guard let socket, socket.state == .open else { return 0 }
    var total = 0
    while first < queue.count {
      let outgoing = queue[first]
      let bytes = self.bytes(of: outgoing)
      let count = bytes.withUnsafeBytes {
        socket.write(UnsafeRawBufferPointer(rebasing: $0[sentOfFirst...]))
      }
      total += count
      sentOfFirst += count
      if case .bytes = outgoing { queuedBytes -= count }
      guard sentOfFirst == bytes.count else { break }
      sentOfFirst = 0
      first += 1
      if first > 64, first > queue.count / 2 {
        queue.removeFirst(first)
        first = 0
      }
    }
    return total
  }

  /// The bytes as they go over the wire. Blocks are looked at now, when they leave.
  private func bytes(of outgoing: Outgoing) -> [UInt8] {
    switch outgoing {
    case .bytes(let bytes): return bytes
    case .block(let request, let buffer, let zeros):
      var message = [UInt8](repeating: 0, count: 13)
      message.withUnsafeMutableBytes { _ = PeerMessage.piece(request).encode(into: $0) }
      let count = Int(request.length) - Int(zeros)
      guard let bytes = node.memory.bytes(buffer, count: count) else { return message }
      message += bytes
      message += [UInt8](repeating: 0, count: Int(zeros))
      let isRight = message[13...].withUnsafeBytes {
        node.dataset.matches($0, piece: request.piece, begin: request.begin)
      }
      if !isRight { node.world.fail("host \(node.number) sends wrong bytes of \(request)") }
      return message
    }
  }

  func socketConnected(_ socket: Socket) { node.connected(self) }
  func socketReadable(_ socket: Socket) { node.whenScheduled { [self] in node.read(self) } }
  func socketWritable(_ socket: Socket) { node.write(self) }
  func socketClosed(_ socket: Socket, reason: String) { node.disconnected(self, reason) }
}

/// Reads along what a node sends, and knows what it may not send.
struct WireTap {
  private let dataset: Dataset
  private var reader = HandshakeReader()
  private var framer = PeerFramer()

  init(dataset: Dataset) { self.dataset = dataset }

  /// What is wrong with it; nil when nothing is.
  mutating func take(_ outgoing: Outgoing) -> String? {
    switch outgoing {
    case .bytes(let bytes): return bytes.withUnsafeBytes { take($0.bytes) }
    case .block(let request, _, _):
      guard reader.missingByteCount == 0 else { return "a block before the handshake" }
      var head = [UInt8](repeating: 0, count: 13)
      head.withUnsafeMutableBytes { _ = PeerMessage.piece(request).encode(into: $0) }
      if let fault = head.withUnsafeBytes({ take($0.bytes) }) { return fault }
      guard case .block(let remaining) = framer.demand, remaining == Int(request.length) else {
        return "a block in the middle of a message"
      }
      framer.advanceBlock(by: remaining)
      return nil
    }
  }

  private mutating func take(_ chunk: RawSpan) -> String? {
    var offset = 0
    do {
      if reader.missingByteCount > 0 { offset = try reader.append(chunk) }
      while let element = try framer.next(in: chunk, at: &offset) {
        guard case .message(let message) = element else { continue }
        if let fault = fault(of: message) { return fault }
      }
    } catch { return "\(error)" }
    return nil
  }

  private func fault(of message: PeerMessage) -> String? {
    switch message {
    case .request(let request):
      let block = dataset.geometry.block(
        piece: request.piece, begin: request.begin, length: request.length)
      return block == nil ? "a request for no block: \(request)" : nil
    case .have(let piece):
      return dataset.geometry.piece(piece) == nil ? "have \(piece), which is no piece" : nil
    case .unknown(let id, _): return "an unknown message, \(id)"
    default: return nil
    }
  }
}
