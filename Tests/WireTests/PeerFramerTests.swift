import Metainfo
import TestSupport
import Testing

@testable import Wire

/// A message and all of its body, as every way of reading must find it.
private struct Found: Hashable {
  var message: PeerMessage
  var body: [UInt8] = []
}

/// Takes a whole stream apart in the plainest way: the reference.
private func slowMessages(_ stream: [UInt8]) throws -> [Found] {
  var found: [Found] = []
  var rest = stream[...]
  while !rest.isEmpty {
    let length = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
    let content = Array(rest.dropFirst(4).prefix(length))
    rest = rest.dropFirst(4 + length)
    func number(_ position: Int) -> UInt32 {
      content[(1 + 4 * position)..<(5 + 4 * position)].reduce(0) { $0 << 8 | UInt32($1) }
    }
    func block(_ length: UInt32) -> BlockRequest {
      BlockRequest(piece: number(0), begin: number(1), length: length)
    }
    switch content.first {
    case nil: found.append(Found(message: .keepAlive))
    case 0: found.append(Found(message: .choke))
    case 1: found.append(Found(message: .unchoke))
    case 2: found.append(Found(message: .interested))
    case 3: found.append(Found(message: .notInterested))
    case 4: found.append(Found(message: .have(piece: number(0))))
    case 5:
      found.append(
        Found(message: .bitfield(byteCount: length - 1), body: Array(content.dropFirst())))
    case 6: found.append(Found(message: .request(block(number(2)))))
    case 7:
      found.append(
        Found(message: .piece(block(UInt32(length - 9))), body: Array(content.dropFirst(9))))
    case 8: found.append(Found(message: .cancel(block(number(2)))))
    case 9: found.append(Found(message: .port(UInt16(content[1]) << 8 | UInt16(content[2]))))
    case 13: found.append(Found(message: .suggest(piece: number(0))))
    case 14: found.append(Found(message: .haveAll))
    case 15: found.append(Found(message: .haveNone))
    case 16: found.append(Found(message: .reject(block(number(2)))))
    case 17: found.append(Found(message: .allowedFast(piece: number(0))))
    case 20:
      found.append(
        Found(
          message: .extended(id: content[1], byteCount: length - 2),
          body: Array(content.dropFirst(2))))
    case 21?, 22?, 23?:
      let kind = try #require(PeerMessageID(rawValue: content[0]).flatMap(HashMessage.Kind.init))
      let message = try HashMessage(kind, payload: Array(content.dropFirst()).span.bytes)
      found.append(Found(message: .hash(message)))
    case let id?: found.append(Found(message: .unknown(id: id, byteCount: length - 1)))
    }
  }
  return found
}

/// A peer that is read in chunks, and its blocks straight where that is `straight`'s turn.
private struct Reading {
  var framer = PeerFramer()
  var found: [Found] = []

  mutating func take(_ chunk: [UInt8]) throws {
    var offset = 0
    let span = chunk.span.bytes
    while let element = try framer.next(in: span, at: &offset) {
      switch element {
      case .message(let message):
        let body = framer.withBody(in: span) { $0.withUnsafeBytes { Array($0) } }
        found.append(Found(message: message, body: body))
      case .block(let range, let remaining):
        #expect(!range.isEmpty && range.upperBound == offset)
        found[found.count - 1].body += chunk[range]
        #expect(found[found.count - 1].body.count + remaining == lastBlockLength)
      }
    }
    #expect(offset == chunk.count)
  }

  mutating func takeStraight(_ data: [UInt8]) {
    found[found.count - 1].body += data
    let remaining = framer.advanceBlock(by: data.count)
    #expect(found[found.count - 1].body.count + remaining == lastBlockLength)
  }

  private var lastBlockLength: Int {
    if case .piece(let block)? = found.last?.message { Int(block.length) } else { -1 }
  }
}

@Suite struct PeerFramerTests {
  @Test(arguments: UInt64(0)..<10)
  func everyChunkingReadsTheSame(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let stream = try randomStream(messages: 40, &random)
    let expected = try slowMessages(stream)
    #expect(expected.count == 40)
    for longest in [1, 2, 5, 13, 100, 5_000, stream.count] {
      for straight in [0, 1, 2] {
        var reading = Reading()
        var at = 0
        while at < stream.count {
          let left = stream.count - at
          let count = min(left, Int.random(in: 1...longest, using: &random))
          if case .block(let remaining) = reading.framer.demand,
            straight == 2 || straight == 1 && Bool.random(using: &random)
          {
            let part = min(count, remaining)
            reading.takeStraight(Array(stream[at..<(at + part)]))
            at += part
          } else {
            try reading.take(Array(stream[at..<(at + count)]))
            at += count
          }
        }
        #expect(reading.found == expected, "seed \(seed), chunks to \(longest), \(straight)")
      }
    }
  }

  /// A reader that follows `demand` to the byte sees data of blocks only by the straight way.
  @Test(arguments: UInt64(0)..<10)
  func demandKeepsDataApart(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let stream = try randomStream(messages: 40, &random)
    var reading = Reading()
    var at = 0
    while at < stream.count {
      switch reading.framer.demand {
      case .block(let remaining):
        let count = Int.random(in: 1...min(remaining, stream.count - at), using: &random)
        reading.takeStraight(Array(stream[at..<(at + count)]))
        at += count
      case .messages(let beforeData):
        let count = Int.random(in: 1...min(beforeData, stream.count - at), using: &random)
        let before = reading.found
        try reading.take(Array(stream[at..<(at + count)]))
        for new in reading.found[before.count...] {
          if case .piece = new.message { #expect(new.body.isEmpty) }
        }
        if let last = before.last { #expect(reading.found[before.count - 1] == last) }
        at += count
      }
    }
    #expect(try reading.found == slowMessages(stream))
  }

  @Test(arguments: UInt64(0)..<100)
  func damageNeverStopsTheProcess(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    var stream = try randomStream(messages: 12, &random)
    for _ in 0..<Int.random(in: 1...8, using: &random) {
      let index = Int.random(in: 0..<stream.count, using: &random)
      stream[index] = UInt8.random(in: 0...255, using: &random)
    }
    stream.removeLast(Int.random(in: 0..<min(30, stream.count), using: &random))
    var outcomes: Set<PeerProtocolError?> = []
    var findings: Set<[Found]> = []
    for longest in [1, 7, stream.count] {
      var reading = Reading()
      var at = 0
      do {
        while at < stream.count {
          let count = min(stream.count - at, Int.random(in: 1...longest, using: &random))
          try reading.take(Array(stream[at..<(at + count)]))
          at += count
        }
        outcomes.insert(nil)
      } catch {
        outcomes.insert(try #require(error as? PeerProtocolError))
      }
      findings.insert(reading.found)
    }
    #expect(outcomes.count == 1 && findings.count == 1, "seed \(seed)")
  }

  @Test func anErrorLasts() throws {
    var framer = PeerFramer()
    for chunk in [[0, 0, 0, 2, 0, 0], [0, 0, 0, 1, 1], []] as [[UInt8]] {
      let error = #expect(throws: PeerProtocolError.self) {
        var offset = 0
        return try framer.next(in: chunk.span.bytes, at: &offset)
      }
      #expect(error?.message == .choke)
    }
  }

  @Test func demandCountsDown() throws {
    var framer = PeerFramer()
    let stream: [UInt8] = [0, 0, 0, 12, 7, 0, 0, 0, 1, 0, 0, 0, 0, 9, 9, 9]
    for (index, byte) in stream.enumerated() {
      let expected: PeerFramer.Demand =
        index < 13 ? .messages(beforeData: 13 - index) : .block(remaining: 16 - index)
      #expect(framer.demand == expected)
      var offset = 0
      _ = try framer.next(in: [byte].span.bytes, at: &offset)
    }
    #expect(framer.demand == .messages(beforeData: 13))
  }

  /// Some of every kind, with bodies of all sizes.
  private func randomStream(messages: Int, _ random: inout SplitMix64) throws -> [UInt8] {
    var stream: [UInt8] = []
    for _ in 0..<messages {
      switch Int.random(in: 0..<8, using: &random) {
      case 0:
        let length = UInt32.random(in: 1...700, using: &random)
        let head = head(of: .piece(BlockRequest(piece: 3, begin: 16_384, length: length)))
        stream += head + random.bytes(Int(length))
      case 1:
        let count = Int.random(in: 0...600, using: &random)
        stream += head(of: .bitfield(byteCount: count)) + random.bytes(count)
      case 2:
        let count = Int.random(in: 0...60, using: &random)
        stream += head(of: .extended(id: 3, byteCount: count)) + random.bytes(count)
      case 3:
        let count = Int.random(in: 0...60, using: &random)
        stream += head(of: .unknown(id: 99, byteCount: count)) + random.bytes(count)
      case 4:
        let row = Int.random(in: capturedMessages.indices, using: &random)
        stream += try #require([UInt8](hex: capturedMessages[row].hex))
      default:
        let row = Int.random(in: messageVectors.indices, using: &random)
        if messageVectors[row].message.bodyByteCount == 0 {
          stream += head(of: messageVectors[row].message)
        } else {
          stream += head(of: .have(piece: UInt32(row)))
        }
      }
    }
    return stream
  }
}
