import CSodium
import Metainfo
import TestSupport
import Testing

@testable import Wire

private let place = PeerEndpoint(address: .v4(IPv4Address(rawValue: 0xc000_0201)), port: 6881)
private let elsewhere = PeerEndpoint(address: .v6(IPv6Address(high: 1, low: 2)), port: 6881)
private let now: UInt64 = 1_800_000_000

@Suite struct PrivateConnectionTests {
  private var random = SplitMix64(seed: 11)
  private let keys: PrivateKeys
  private var memory = HelloMemory(now: now - 1_000)

  init() { keys = PrivateKeys(ReadKey(using: &random)) }

  private mutating func dial(
    _ keys: PrivateKeys? = nil, time: UInt64 = now, at place: PeerEndpoint = place
  ) throws -> PrivateInitiator {
    try PrivateInitiator(keys ?? self.keys, time: time, dialed: place, using: &random)
  }

  private mutating func open(
    _ hello: [UInt8], time: UInt64 = now, places: Set<PeerEndpoint>? = nil
  ) -> PrivateResponder.Opened? {
    PrivateResponder([PrivateKeys(ReadKey(using: &random)), keys]).open(
      Array(hello.prefix(PrivateLimits.helloBytes)), time: time, places: places, memory: &memory)
  }

  private mutating func sessions() throws -> (PrivateSession, PrivateSession) {
    var initiator = try dial()
    let responder = PrivateResponder([keys])
    let opened = try #require(
      responder.open(
        Array(initiator.hello.prefix(PrivateLimits.helloBytes)), time: now, memory: &memory))
    let answer = try responder.answer(opened, using: &random)
    var offset = 0
    let session = try #require(try initiator.receive(answer.bytes, at: &offset))
    #expect(offset == answer.bytes.count)
    return (session, answer.session)
  }

  // MARK: Keys

  /// Each computed here by itself.
  @Test mutating func keysFollowFromReadKey() throws {
    let readKey = try #require(ReadKey([UInt8](repeating: 7, count: 32)))
    func derived(_ label: String) -> [UInt8] {
      let message = Array("SwarmNode private 1 \(label)".utf8)
      var result = [UInt8](repeating: 0, count: 32)
      crypto_generichash(
        &result, 32, message, UInt64(message.count), [UInt8](repeating: 7, count: 32), 32)
      return result
    }
    let keys = PrivateKeys(readKey)
    #expect(keys.discoveryID == derived("discovery"))
    #expect(keys.discoveryInfohash.bytes == Array(derived("discovery").prefix(20)))
    #expect(readKey.derived("head key") == SecretBytes(derived("head key")))
    #expect(keys.preSharedKey == SecretBytes(derived("psk")))
    #expect(keys.maskKey == SecretBytes(derived("mask")))
  }

  // MARK: Which of both

  @Test func firstBytesDecide() {
    let header = [19] + Array("BitTorrent protocol".utf8)
    for count in 0..<20 { #expect(FirstBytes(header.prefix(count)) == .undecided) }
    #expect(FirstBytes(header) == .bitTorrent && FirstBytes(header + [0]) == .bitTorrent)
    for index in header.indices {
      var other = header
      other[index] ^= 1
      #expect(FirstBytes(other) == .other && FirstBytes(other.prefix(index + 1)) == .other)
    }
  }

  // MARK: First message and answer

  /// From the specification alone: mask, payload, padding, and a Noise responder that knows nothing of ours.
  @Test mutating func helloIsAsSpecified() throws {
    let initiator = try dial()
    let nonce = Array(initiator.hello.prefix(24))
    var stream = [UInt8](repeating: 0, count: 64)
    keys.maskKey.withUnsafeBytes { key in
      _ = crypto_stream_xchacha20(&stream, 64, nonce, Array(key))
    }
    let key = zip(initiator.hello[24..<56], stream).map { $0 ^ $1 }
    #expect(key == initiator.helloKey)
    var responder = try NoiseHandshake(
      NoisePattern.nn.withPreSharedKeys(at: [0]), .responder,
      prologue: Array("SwarmNode private 1".utf8) + keys.discoveryID,
      preSharedKeys: [keys.preSharedKey])
    let payload = try responder.read(key + initiator.hello[56..<104])
    let padding = initiator.hello.count - 104
    #expect(
      payload.hex == "000000006b49d200" + "00000000000000000000ffffc0000201" + "1ae1"
        + [UInt8(padding >> 8), UInt8(padding & 255)].hex + "00000000")
  }

  @Test mutating func bothSidesAgreeWhateverTheChunks() throws {
    for seed in UInt64(0)..<20 {
      random = SplitMix64(seed: seed)
      let dialed = seed % 2 == 0 ? place : elsewhere
      var initiator = try dial(at: dialed)
      let opened = try #require(open(initiator.hello), "seed \(seed)")
      #expect(opened.keyIndex == 1 && opened.hello.dialed == dialed && opened.hello.time == now)
      #expect(initiator.hello.count == 104 + opened.hello.paddingByteCount)
      let responder = PrivateResponder([keys, keys])
      var (bytes, theirs) = try responder.answer(opened, using: &random)
      bytes += try theirs.sender.frame([1, 2, 3])
      var session: PrivateSession?
      var used = 0
      while session == nil {
        let end = min(bytes.count, used + Int.random(in: 1...90, using: &random))
        var offset = 0
        session = try initiator.receive(Array(bytes[used..<end]), at: &offset)
        used += offset
      }
      var ours = try #require(session)
      #expect(try read(Array(bytes[used...]), &ours.receiver) == [[1, 2, 3]])
      #expect(try read(ours.sender.frame([4]), &theirs.receiver) == [[4]])
    }
  }

  @Test mutating func messagesLookRandom() throws {
    // Each byte's highest bit, over many messages, is as often set as not: that of a bare X25519 key is never.
    var counts = [Int](repeating: 0, count: PrivateLimits.helloBytes)
    var lengths: Set<Int> = []
    for _ in 0..<400 {
      let hello = try dial().hello
      lengths.insert(hello.count)
      for index in counts.indices where hello[index] >= 128 { counts[index] += 1 }
    }
    #expect(counts.allSatisfy { (130...270).contains($0) }, "\(counts)")
    #expect(lengths.count > 100)
  }

  @Test mutating func strangersGetNothing() throws {
    let stranger = PrivateKeys(ReadKey(using: &random))
    #expect(open(try dial(stranger).hello) == nil)
    #expect(open(random.bytes(104)) == nil)
    #expect(open([19] + Array("BitTorrent protocol".utf8) + random.bytes(84)) == nil)
    #expect(open([]) == nil && open(random.bytes(103)) == nil)
    #expect(memory.count == 0)
    #expect(PrivateResponder([]).open(try dial().hello, time: now, memory: &memory) == nil)
  }

  @Test mutating func everyChangedByteIsNoticed() throws {
    let hello = Array(try dial().hello.prefix(104))
    for index in hello.indices {
      var changed = hello
      changed[index] ^= 1 << UInt8.random(in: 0...7, using: &random)
      #expect(open(changed) == nil, "byte \(index)")
    }
    let opened = try #require(open(hello))
    let responder = PrivateResponder([PrivateKeys(ReadKey(using: &random)), keys])
    var initiator = try dial()
    let mine = try #require(open(initiator.hello))
    let answer = try responder.answer(mine, using: &random).bytes
    let other = try responder.answer(opened, using: &random).bytes
    for index in 0..<PrivateLimits.answerBytes {
      var changed = answer
      changed[index] ^= 1 << UInt8.random(in: 0...7, using: &random)
      var waiting = initiator
      var offset = 0
      #expect(throws: PrivateError.self) { try waiting.receive(changed, at: &offset) }
    }
    var offset = 0
    var waiting = initiator
    #expect(throws: PrivateError.self, "an answer to somebody else") {
      try waiting.receive(other, at: &offset)
    }
    offset = 0
    #expect(try initiator.receive(answer, at: &offset) != nil)
  }

  // MARK: Replays

  @Test mutating func replaysGetNothing() throws {
    let initiator = try dial()
    #expect(open(initiator.hello) != nil)
    #expect(open(initiator.hello) == nil)
    // Other padding, another connection, later: it is the same message.
    #expect(open(initiator.hello.prefix(104) + random.bytes(9), time: now + 299) == nil)
    #expect(open(initiator.hello, time: now + 301) == nil)
    #expect(open(initiator.hello, time: now + 100_000) == nil)
    // The node started anew.
    memory = HelloMemory(now: now + 1)
    #expect(open(initiator.hello, time: now + 1) == nil)
  }

  @Test mutating func timesTooFarOffGetNothing() throws {
    #expect(open(try dial(time: now - 301).hello) == nil)
    #expect(open(try dial(time: now + 301).hello) == nil)
    #expect(open(try dial(time: .max).hello) == nil)
    #expect(open(try dial(time: 0).hello) == nil)
    #expect(open(try dial(time: now - 300).hello) != nil)
    let early = try dial(time: now + 300)
    #expect(open(early.hello) != nil)
    #expect(open(early.hello, time: now + 590) == nil)
    #expect(open(early.hello, time: now + 601) == nil)
  }

  @Test mutating func messagesForOthersGetNothing() throws {
    let message = try dial()
    #expect(open(message.hello, places: [elsewhere]) == nil)
    #expect(open(message.hello, places: [elsewhere, place]) != nil)
  }

  @Test mutating func ownMessageSentBackGetsNothing() throws {
    let message = try dial()
    #expect(memory.remember(own: message.helloKey, of: [1], now: now) == true)
    #expect(open(message.hello) == nil)
  }

  @Test mutating func memoryIsBoundedAndForgets() {
    for number in 0..<PrivateLimits.rememberedHellos {
      let group = [UInt8(number % 4)]
      #expect(memory.admit(PrivateHello.bytes(number), of: group, sentAt: now, now: now) == true)
    }
    #expect(memory.admit([1], of: [9], sentAt: now, now: now) == false)
    #expect(memory.remember(own: [1], of: [9], now: now + 300) == false)
    #expect(memory.count == PrivateLimits.rememberedHellos)
    #expect(
      memory.admit([1], of: [9], sentAt: now + 301, now: now + 301) && memory.count == 1)
    // A clock that goes back a little forgets nothing, and answers nothing that was forgotten.
    #expect(memory.admit([1], of: [9], sentAt: now + 301, now: now + 200) == false)
    #expect(memory.admit(PrivateHello.bytes(5), of: [1], sentAt: now, now: now + 200) == false)
    // One that was a day ahead begins anew.
    #expect(memory.admit([2], of: [9], sentAt: now + 86_400, now: now + 86_400) == true)
    #expect(memory.admit([3], of: [9], sentAt: now + 400, now: now + 400) == true)
    #expect(memory.admit([4], of: [9], sentAt: now + 399, now: now + 400) == false)
  }

  /// Who has the read key of one dataset cannot keep out the members of another.
  @Test mutating func aGroupFillsItsOwnPartAlone() {
    let most = PrivateLimits.hellosOfGroup
    for number in 0..<(most + 100) {
      let isRoom = memory.admit(PrivateHello.bytes(number), of: [1], sentAt: now, now: now)
      #expect(isRoom == (number < most))
    }
    #expect(memory.remember(own: [1], of: [1], now: now) == false)
    #expect(memory.admit([2], of: [2], sentAt: now, now: now) == true)
    #expect(memory.remember(own: [3], of: [2], now: now) == true)
    // What is too old makes room for all, and is counted no more.
    for number in 0..<(most + 1) {
      let isRoom = memory.admit(
        PrivateHello.bytes(number), of: [1], sentAt: now + 301, now: now + 301)
      #expect(isRoom == (number < most))
    }
    #expect(memory.count == most)
  }

  // MARK: Frames

  /// All contents in `bytes`, which are whole frames.
  private func read(
    _ bytes: [UInt8], _ receiver: inout PrivateReceiver
  ) throws(PrivateError) -> [[UInt8]] {
    var contents: [[UInt8]] = []
    var rest = bytes[...]
    while !rest.isEmpty {
      var head = Array(rest.prefix(20))
      rest = rest.dropFirst(20)
      var failure: PrivateError?
      head.withUnsafeMutableBytes { head in
        do throws(PrivateError) { try receiver.readHead(head) } catch { failure = error }
      }
      if let failure { throw failure }
      let ticket = try receiver.bodyTicket()
      var body = Array(rest.prefix(ticket.byteCount))
      rest = rest.dropFirst(ticket.byteCount)
      body.withUnsafeMutableBytes { body in
        do throws(PrivateError) { try ticket.open(body) } catch { failure = error }
      }
      if let failure { throw failure }
      contents.append(Array(body.prefix(ticket.contentByteCount)))
    }
    return contents
  }

  @Test mutating func framesCarryAnything() throws {
    var (ours, theirs) = try sessions()
    for (content, padding) in [(0, 0), (1, 0), (68, 400), (0, 65_519), (65_519, 0), (16_397, 3)] {
      let bytes = random.bytes(content)
      let frame = try ours.sender.frame(bytes, paddingByteCount: padding)
      #expect(frame.count == 36 + content + padding)
      #expect(theirs.receiver.demand == .head)
      #expect(try read(frame, &theirs.receiver) == [bytes])
    }
  }

  @Test mutating func changedReorderedAndRepeatedFramesEndTheConnection() throws {
    var (ours, theirs) = try sessions()
    let frames = try (0..<3).map { try ours.sender.frame([$0, 1, 2]) }
    let clean = theirs.receiver
    for index in frames[0].indices {
      var receiver = clean
      var changed = frames[0]
      changed[index] ^= 4
      #expect(throws: PrivateError.frame(0)) { try read(changed, &receiver) }
    }
    var receiver = clean
    #expect(throws: PrivateError.frame(0)) { try read(frames[1], &receiver) }
    #expect(throws: PrivateError.frame(0), "an error stays") { try read(frames[0], &receiver) }
    receiver = clean
    #expect(throws: PrivateError.frame(1)) { try read(frames[0] + frames[0], &receiver) }
    receiver = clean
    #expect(throws: PrivateError.frame(1)) { try read(frames[0] + frames[2], &receiver) }
    // What one side sends is not what it receives.
    #expect(throws: PrivateError.frame(0)) { try read(frames[0], &ours.receiver) }
    #expect(try read(frames.flatMap { $0 }, &theirs.receiver).count == 3)
  }

  /// A member can send any lengths; those beyond a Noise message are refused before anything is awaited.
  @Test mutating func lengthsBeyondANoiseMessageAreRefused() throws {
    let key = SecretBytes(random.bytes(32))
    var sending = NoiseCipher(key: key)
    var receiver = PrivateReceiver(direction: PrivateDirection(cipher: NoiseCipher(key: key)))
    var head = try sending.seal([0xff, 0xff, 0, 1], vouchingFor: [])
    var failure: PrivateError?
    head.withUnsafeMutableBytes { head in
      do throws(PrivateError) { try receiver.readHead(head) } catch { failure = error }
    }
    #expect(failure == .frameTooLong(65_536))
  }

  /// Keys change behind the frame that fills 2^26 bytes, on both sides, and the numbers go on.
  @Test mutating func keysChangeAsBytesGo() throws {
    let key = SecretBytes(random.bytes(32))
    var sender = PrivateSender(direction: PrivateDirection(cipher: NoiseCipher(key: key)))
    var receiver = PrivateReceiver(direction: PrivateDirection(cipher: NoiseCipher(key: key)))
    let content = [UInt8](repeating: 1, count: PrivateLimits.frameBytes)
    let frameBytes = UInt64(content.count + 36)
    let before = (NoiseLimits.rekeyBytes + frameBytes - 1) / frameBytes
    for _ in 0..<(before - 1) { _ = try sender.ticket(contentByteCount: content.count) }
    for _ in 0..<(before - 1) { try receiver.pass(contentByteCount: content.count) }
    // The last frame under the old key, and the first under the new one.
    var old = NoiseCipher(key: key, number: 2 * before - 2)
    let last = try sender.frame(content)
    #expect(try old.open(Array(last.prefix(20)), vouchingFor: []) != nil)
    let first = try sender.frame([5])
    old = NoiseCipher(key: key, number: 2 * before)
    #expect(try old.open(Array(first.prefix(20)), vouchingFor: []) == nil)
    var new = NoiseCipher(key: key, number: 2 * before)
    new.rekey()
    #expect(try new.open(Array(first.prefix(20)), vouchingFor: []) == [0, 1, 0, 0])
    #expect(try read(last + first, &receiver) == [content, [5]])
  }
}

extension PrivateReceiver {
  /// Counts a frame as received, without the work.
  fileprivate mutating func pass(contentByteCount: Int) throws {
    lengths = (contentByteCount, 0)
    _ = try direction.ticket()
    _ = try bodyTicket()
  }
}
