import Metainfo
import Wire

/// Steps of all that can happen to a private connection between two sides and somebody who changes, drops, repeats
/// and makes up bytes. Nothing but what one side sent reaches the other, in order; a stranger gets no answer, and
/// neither does what was answered before.
func fuzzNoise(_ bytes: UnsafeRawBufferPointer) {
  var reader = FuzzReader(bytes)
  var game = NoiseGame(&reader)
  guard game.meet(&reader) else { return }
  var steps = 0
  while !reader.isAtEnd, steps < 64 {
    game.step(&reader)
    steps += 1
  }
}

private struct NoiseGame {
  private static let now: UInt64 = 1_000_000
  private static let place = PeerEndpoint(
    address: .v4(IPv4Address(rawValue: 0x7f00_0001)), port: 6881)

  private var random: FuzzRandom
  private var memory = HelloMemory(now: 0)
  private var keys: PrivateKeys
  private var responder: PrivateResponder
  private var sender: PrivateSender?
  private var receiver: PrivateReceiver?
  /// What was sent and has not arrived.
  private var sent: [[UInt8]] = []
  /// Frames on their way, as they were sealed.
  private var frames: [[UInt8]] = []

  init(_ reader: inout FuzzReader) {
    random = FuzzRandom(state: UInt64(reader.byte()))
    keys = PrivateKeys(ReadKey(using: &random))
    responder = PrivateResponder([PrivateKeys(ReadKey(using: &random)), keys])
  }

  /// The handshake; false where somebody has spoiled it.
  mutating func meet(_ reader: inout FuzzReader) -> Bool {
    // What a stranger may send first.
    var noise = (0..<Int(reader.byte())).map { _ in reader.byte() }
    _ = FirstBytes(noise)
    noise += [UInt8](repeating: 0, count: max(0, PrivateLimits.helloBytes - noise.count))
    noise = Array(noise.prefix(PrivateLimits.helloBytes))
    demand(responder.open(noise, time: Self.now, memory: &memory) == nil, "a stranger is answered")
    do {
      var initiator = try PrivateInitiator(
        keys, time: Self.now, dialed: Self.place, using: &random)
      let hello = Array(initiator.hello.prefix(PrivateLimits.helloBytes))
      let changed = change(hello, &reader)
      let opened = responder.open(changed, time: Self.now, memory: &memory)
      demand((opened != nil) == (changed == hello), "changed, and answered")
      guard let opened else { return false }
      demand(
        responder.open(hello, time: Self.now, memory: &memory) == nil, "answered twice")
      let answer = try responder.answer(opened, using: &random)
      let spoiled = change(answer.bytes, &reader)
      var offset = 0
      var session: PrivateSession?
      do {
        session = try initiator.receive(spoiled, at: &offset)
      } catch {
        demand(spoiled != answer.bytes, "\(error)")
        return false
      }
      demand(offset <= spoiled.count)
      let count = PrivateLimits.answerBytes
      demand(session == nil || spoiled.prefix(count) == answer.bytes.prefix(count))
      sender = session?.sender
      receiver = answer.session.receiver
      return session != nil
    } catch {
      demand(false, "\(error)")
      return false
    }
  }

  mutating func step(_ reader: inout FuzzReader) {
    let choice = reader.byte()
    switch choice % 4 {
    case 0: send(Int(choice) * 7 % 300, &reader)
    case 1: arrive(changing: false, &reader)
    case 2: arrive(changing: true, &reader)
    default:
      // Another order.
      if frames.count > 1 { frames.swapAt(0, Int(reader.byte()) % frames.count) }
    }
  }

  private mutating func send(_ count: Int, _ reader: inout FuzzReader) {
    let content = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ sent.count) }
    do {
      guard let frame = try sender?.frame(content, paddingByteCount: Int(reader.byte())) else {
        return
      }
      sent.append(content)
      frames.append(frame)
    } catch { demand(false, "\(error)") }
  }

  private mutating func arrive(changing: Bool, _ reader: inout FuzzReader) {
    guard !frames.isEmpty, var receiver else { return }
    let frame = frames.removeFirst()
    let bytes = changing ? change(frame, &reader) : frame
    var head = Array(bytes.prefix(PrivateLimits.frameHeadBytes))
    guard head.count == PrivateLimits.frameHeadBytes else { return }
    let content = sent.removeFirst()
    // The connection has ended, but for a frame that opens.
    self.receiver = nil
    guard head.withUnsafeMutableBytes({ (try? receiver.readHead($0)) != nil }),
      case .body(let count) = receiver.demand, let ticket = try? receiver.bodyTicket()
    else { return }
    demand((16...65_535).contains(count) && ticket.byteCount == count)
    var body = Array(bytes.dropFirst(head.count).prefix(count))
    body += [UInt8](repeating: 0, count: count - body.count)
    guard body.withUnsafeMutableBytes({ (try? ticket.open($0)) != nil }) else { return }
    demand(body.prefix(ticket.contentByteCount).elementsEqual(content), "other content arrived")
    self.receiver = receiver
  }

  /// The bytes, or, as the input will, some of them otherwise, fewer or more.
  private func change(_ bytes: [UInt8], _ reader: inout FuzzReader) -> [UInt8] {
    var bytes = bytes
    switch reader.byte() % 8 {
    case 1:
      let place = Int(reader.byte()) << 8 | Int(reader.byte())
      bytes[place % bytes.count] ^= reader.byte()
    case 2: bytes.removeLast(min(bytes.count, Int(reader.byte())))
    case 3: bytes += [reader.byte()]
    default: break
    }
    return bytes
  }
}

/// Numbers that follow from one byte of the input.
private struct FuzzRandom: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state ^ state >> 29
  }
}
