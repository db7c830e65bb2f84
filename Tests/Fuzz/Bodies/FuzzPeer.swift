import Metainfo
import Wire

/// The first byte says where the rest is cut in two. Both readings agree, and a handshake that is
/// read and written again is the same.
func fuzzHandshake(_ bytes: UnsafeRawBufferPointer) {
  guard let first = bytes.first else { return }
  let stream = Array(bytes.dropFirst())
  let cut = min(Int(first), stream.count)
  let whole = shake([stream])
  precondition(whole == shake([Array(stream[..<cut]), Array(stream[cut...])]))
  guard case .read(let handshake?, let taken) = whole else { return }
  precondition(taken == Handshake.byteCount)
  var again = [UInt8](repeating: 0, count: Handshake.byteCount)
  again.withUnsafeMutableBytes { _ = handshake.encode(into: $0) }
  precondition(stream.starts(with: again))
}

private enum Shake: Hashable {
  case read(Handshake?, taken: Int)
  case refused(offset: Int, byte: UInt8)
}

private func shake(_ chunks: [[UInt8]]) -> Shake {
  var reader = HandshakeReader()
  var taken = 0
  for chunk in chunks {
    do {
      taken += try reader.append(chunk.span.bytes)
    } catch {
      precondition(!error.description.isEmpty)
      return .refused(offset: error.offset, byte: error.byte)
    }
    precondition((reader.infohash != nil) == (taken >= 48))
  }
  precondition(taken + reader.missingByteCount == Handshake.byteCount)
  return .read(reader.handshake, taken: taken)
}

/// The first four bytes say how the rest is cut into chunks, and when blocks are read straight.
/// However it is, what is found is what one chunk gives; written again, it is the same stream.
func fuzzFramer(_ bytes: UnsafeRawBufferPointer) {
  var reader = FuzzReader(bytes)
  let sizes = (0..<4).map { _ in Int(reader.byte()) }
  let stream = Array(bytes.dropFirst(4))
  var whole = FramerReading()
  whole.take(stream)
  precondition(stream.starts(with: whole.written))
  for mode in 0..<3 {
    var parts = FramerReading()
    var at = 0
    var step = 0
    while at < stream.count, parts.error == nil {
      let size = 1 + sizes[step % 4]
      step += 1
      let left = stream.count - at
      switch parts.framer.demand {
      case .block(let remaining) where mode == 2 || mode == 1 && size.isMultiple(of: 2):
        let count = min(size, remaining, left)
        parts.takeStraight(Array(stream[at..<(at + count)]))
        at += count
      case .messages(let beforeData) where mode == 2:
        precondition(beforeData > 0)
        let count = min(size, beforeData, left)
        parts.take(Array(stream[at..<(at + count)]))
        at += count
      case .messages, .block:
        let count = min(size, left)
        parts.take(Array(stream[at..<(at + count)]))
        at += count
      }
    }
    precondition(parts.found == whole.found && parts.error == whole.error)
  }
}

private struct FramerReading {
  struct Found: Hashable {
    var message: PeerMessage
    var body: [UInt8]
  }

  var framer = PeerFramer()
  var found: [Found] = []
  var error: PeerProtocolError?

  mutating func take(_ chunk: [UInt8]) {
    var offset = 0
    let span = chunk.span.bytes
    do {
      while let element = try framer.next(in: span, at: &offset) {
        switch element {
        case .message(let message):
          let body = framer.withBody(in: span) { $0.withUnsafeBytes { Array($0) } }
          found.append(Found(message: message, body: body))
        case .block(let range, _):
          precondition(!range.isEmpty && range.upperBound == offset)
          found[found.count - 1].body += chunk[range]
        }
      }
      precondition(offset == chunk.count)
    } catch {
      precondition(!error.description.isEmpty)
      self.error = error
    }
  }

  mutating func takeStraight(_ data: [UInt8]) {
    found[found.count - 1].body += data
    framer.advanceBlock(by: data.count)
  }

  /// All that was found, as far as it has bodies: up to the first unknown message.
  var written: [UInt8] {
    var bytes: [UInt8] = []
    for part in found {
      let message = part.message
      if case .unknown = message { break }
      var head = [UInt8](repeating: 0, count: message.encodedByteCount)
      head.withUnsafeMutableBytes { _ = message.encode(into: $0) }
      bytes += head + part.body
    }
    return bytes
  }
}

/// The first byte says which extension's payload the rest is. What is read and written again reads
/// the same.
func fuzzExtensions(_ bytes: UnsafeRawBufferPointer) {
  guard let first = bytes.first else { return }
  let payload = Array(bytes.dropFirst())
  do {
    switch first % 5 {
    case 0:
      let handshake = try ExtensionHandshake(payload: payload.span.bytes)
      let again = try ExtensionHandshake(payload: handshake.encoded.span.bytes)
      precondition(again == handshake)
    case 1: try checkMetadata(payload)
    case 2:
      let pex = try PeerExchange(payload: payload.span.bytes)
      precondition(pex.added.count <= WireLimits.pexContacts)
      let again = try PeerExchange(payload: pex.encoded.span.bytes)
      precondition(again == pex)
    case 3:
      let message = try DontHaveMessage(payload: payload.span.bytes)
      precondition(message.encoded == payload)
    default: _ = try UploadOnlyMessage(payload: payload.span.bytes)
    }
  } catch {
    precondition((0...payload.count).contains(error.offset) && !error.description.isEmpty)
  }
}

private func checkMetadata(_ payload: [UInt8]) throws(ExtensionError) {
  let message = try MetadataMessage(payload: payload.span.bytes)
  switch message {
  case .unknown: return
  case .data(_, _, let range):
    precondition(range.upperBound == payload.count)
    let head = message.encoded
    let again = head + payload[range]
    let other = try MetadataMessage(payload: again.span.bytes)
    guard case .data(_, _, let place) = other else { preconditionFailure("\(other)") }
    precondition(place == head.count..<again.count)
  case .request, .reject:
    let again = try MetadataMessage(payload: message.encoded.span.bytes)
    precondition(again == message)
  }
}
