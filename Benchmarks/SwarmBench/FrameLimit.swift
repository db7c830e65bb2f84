import Wire

/// The speed of cutting a stream into messages that is in memory already, and no work on them.
struct FrameLimit {
  /// Messages to cut.
  let messageCount: Int

  /// What a read of the socket brings at a time.
  private let chunkLength = 1 << 18
  /// Each is measured so often, and the best counts: the limit, not the habit.
  private let rounds = 5

  func measure() {
    let blocks = max(1, messageCount / 1024)
    measure("have", count: messageCount) { .have(piece: UInt32(truncatingIfNeeded: $0)) }
    measure("request", count: messageCount) {
      .request(BlockRequest(piece: UInt32(truncatingIfNeeded: $0), begin: 0, length: 16_384))
    }
    measure("piece", count: blocks) {
      .piece(BlockRequest(piece: UInt32(truncatingIfNeeded: $0), begin: 0, length: 16_384))
    }
  }

  private func measure(_ name: String, count: Int, _ message: (Int) -> PeerMessage) {
    let stream = stream(count, message)
    var messages = 0
    var blockBytes = 0
    let seconds =
      (0..<rounds).map { _ in
        elapsed { (messages, blockBytes) = cut(stream) }
      }.min() ?? 0
    precondition(messages == count)
    print(
      """
      {"frame": "\(name)", "messages": \(messages), "bytes": \(stream.count), \
      "block_bytes": \(blockBytes), "seconds": \(seconds), \
      "nanoseconds_a_message": \(seconds * 1e9 / Double(messages))}
      """)
  }

  /// `count` messages and, for pieces, their data.
  private func stream(_ count: Int, _ message: (Int) -> PeerMessage) -> [UInt8] {
    var stream: [UInt8] = []
    for number in 0..<count {
      let message = message(number)
      let start = stream.count
      let length = message.encodedByteCount
      stream += repeatElement(0, count: length + message.bodyByteCount)
      stream.withUnsafeMutableBytes {
        _ = message.encode(into: UnsafeMutableRawBufferPointer(rebasing: $0[start...]))
      }
    }
    return stream
  }

  /// How many messages and bytes of blocks were found.
  private func cut(_ stream: [UInt8]) -> (messages: Int, blockBytes: Int) {
    var framer = PeerFramer()
    var messages = 0
    var blockBytes = 0
    let bytes = stream.span.bytes
    do {
      for start in stride(from: 0, to: stream.count, by: chunkLength) {
        let chunk = bytes.extracting(start..<min(start + chunkLength, stream.count))
        var offset = 0
        while let element = try framer.next(in: chunk, at: &offset) {
          switch element {
          case .message(let message):
            if message.isForUs { messages += 1 }
          case .block(let range, _): blockBytes += range.count
          }
        }
      }
    } catch {
      fatalError("\(error)")
    }
    return (messages, blockBytes)
  }

  private func elapsed(_ work: () -> Void) -> Double {
    ContinuousClock().measure(work) / .seconds(1)
  }
}

extension PeerMessage {
  /// Looks at the numbers, so that they must have been read.
  fileprivate var isForUs: Bool {
    switch self {
    case .have(let piece): piece < .max
    case .request(let block), .piece(let block): block.piece < .max && block.length == 16_384
    default: false
    }
  }
}
