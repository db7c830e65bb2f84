import Discovery
import Metainfo
import Wire

/// One datagram of the DHT. What is read and written again reads the same.
func fuzzKRPC(_ bytes: UnsafeRawBufferPointer) {
  let datagram = Array(bytes)
  do {
    let message = try KRPCMessage(datagram)
    do {
      let again = try KRPCMessage(message.encoded)
      demand(again == message, "a message that is written reads as another")
    } catch { demand(false, "what was written is refused: \(error)") }
  } catch {
    demand((0...datagram.count).contains(error.offset) && !error.description.isEmpty)
  }
}

/// A node of the DHT and what comes to it: lookups, times, datagrams from a few places. Answers get the
/// transactions of the questions that are open, so that they count. Each step is a byte that says what,
/// and one that says who; datagrams have their length in a byte before them, and some are made from the
/// newest question.
func fuzzDHT(_ bytes: UnsafeRawBufferPointer) {
  var session = DHTSession()
  var reader = FuzzReader(bytes)
  var steps = 0
  while !reader.isAtEnd, steps < 256 {
    steps += 1
    session.step(&reader)
  }
  session.end()
}

private struct DHTSession: ~Copyable {
  var dht: DHT
  var now: Duration = .zero
  var lookups: [DHTLookupID] = []
  var open: Set<DHTLookupID> = []
  /// The newest questions that the node has asked.
  var questions: [(message: KRPCMessage, to: PeerEndpoint)] = []
  let item: MutableItem?
  let secret = DatasetSecret(seed: [UInt8](repeating: 1, count: DatasetSecret.seedByteCount))

  init() {
    var configuration = DHTConfiguration()
    configuration.enforcesNodeIDs = false
    configuration.storage.torrents = 3
    configuration.storage.peers = 8
    configuration.storage.peersOfTorrent = 4
    configuration.storage.items = 3
    dht = DHT(configuration: configuration, saved: nil, seed: 7, now: .zero)
    item = secret.flatMap { try? MutableItem(signedBy: $0, sequence: 3, value: Array("i3e".utf8)) }
  }

  static func place(_ byte: UInt8) -> PeerEndpoint {
    let port = UInt16(byte & 3) + 1
    if byte & 0x80 != 0 {
      return PeerEndpoint(
        address: .v6(IPv6Address(high: 0x2600 << 48 | UInt64(byte), low: 1)), port: port)
    }
    return PeerEndpoint(
      address: .v4(IPv4Address(rawValue: 0x5000_0000 | UInt32(byte >> 2) << 8 | 1)), port: port)
  }

  mutating func step(_ reader: inout FuzzReader) {
    let what = reader.byte()
    let who = Self.place(reader.byte())
    switch what % 12 {
    case 0: dht.addNodes([who], now: now)
    case 1: start(dht.findPeers(of: digest(what), announcing: 9, isSeed: what > 99, now: now))
    case 2:
      guard let item else { return }
      start(dht.get(mutable: item.key, salt: [], newerThan: nil, now: now))
    case 3: start(dht.get(immutable: digest(what), now: now))
    case 4:
      guard let item else { return }
      start(dht.put(item, cas: what > 99 ? 2 : nil, now: now))
    case 5:
      if let last = lookups.popLast() {
        dht.cancel(last)
        open.remove(last)
      }
    case 6:
      now += .milliseconds(Int64(1) << Int64(what / 12))
      dht.handleTimeout(now: now)
    case 7:
      if let deadline = dht.deadline { now = max(now, deadline) }
      dht.handleTimeout(now: now)
      demand((dht.deadline ?? .zero) > now, "what was due is due again")
    case 8: receive(datagram(&reader), from: who)
    default: answer(what, who, &reader)
    }
    drain()
  }

  /// A right answer to an open question, more or less.
  private mutating func answer(_ what: UInt8, _ who: PeerEndpoint, _ reader: inout FuzzReader) {
    guard !questions.isEmpty else { return }
    let (question, to) = questions.remove(at: Int(what / 12) % questions.count)
    let id = NodeID([UInt8](repeating: reader.byte(), count: NodeID.byteCount))
    guard var response = id.map({ KRPCResponse(id: $0) }) else { return }
    let fields = reader.byte()
    let near = Self.place(reader.byte())
    if let other = NodeID([UInt8](repeating: reader.byte(), count: NodeID.byteCount)) {
      let contact = NodeContact(id: other, endpoint: near)
      if case .v4 = near.address { response.nodes = [contact] } else { response.nodes6 = [contact] }
    }
    if fields & 1 != 0 { response.token = [fields] }
    if fields & 2 != 0 { response.peers = [near, who] }
    if fields & 4 != 0, let item {
      response.key = item.key
      response.sequence = fields & 8 != 0 ? 4 : item.sequence
      response.signature = item.signature
      response.value = item.value
    }
    let body: KRPCMessage.Body =
      fields & 16 != 0
      ? .error(KRPCError(code: Int64(fields), text: [])) : .response(response)
    let message = KRPCMessage(
      transaction: question.transaction, requester: fields & 32 != 0 ? near : nil, body: body)
    receive(message.encoded, from: fields & 64 != 0 ? who : to)
  }

  private func datagram(_ reader: inout FuzzReader) -> [UInt8] {
    let count = Int(reader.byte())
    return (0..<count).map { _ in reader.byte() }
  }

  private func digest(_ byte: UInt8) -> SHA1Digest { SHA1Digest(hashing: [byte]) }

  private mutating func start(_ lookup: DHTLookupID) {
    demand(open.insert(lookup).inserted, "a lookup's number is used twice")
    lookups.append(lookup)
  }

  private mutating func receive(_ bytes: [UInt8], from: PeerEndpoint) {
    let before = dht.status
    dht.receive(bytes, from: from, now: now)
    let after = dht.status
    // A datagram sets off an answer and what can be on its way at once, and no more.
    demand(after.packetsOut - before.packetsOut < 600, "one datagram set off many")
  }

  private mutating func drain() {
    while let effect = dht.nextEffect() {
      switch effect {
      case .send(let bytes, let to):
        demand(bytes.count <= 1_452 && to.port > 0, "\(bytes.count) bytes to \(to)")
        guard let message = try? KRPCMessage(bytes) else {
          demand(false, "the node cannot read its own datagram")
          continue
        }
        if case .query = message.body {
          questions.append((message, to))
          if questions.count > 32 { questions.removeFirst() }
        }
      case .peers(let id, let peers): demand(open.contains(id) && !peers.isEmpty)
      case .mutable(let id, let found):
        demand(open.contains(id) && found.key == item?.key, "a value nobody asked for")
      case .immutable(let id, _): demand(open.contains(id))
      case .ended(let id, let outcome):
        demand(open.remove(id) != nil, "a lookup ends twice")
        demand(outcome.stored <= 16 && outcome.answered <= outcome.asked)
      case .externalAddress: break
      }
    }
    let status = dht.status
    demand(status.torrents <= 3 && status.peers <= 8 && status.items <= 3, "storage is not bounded")
    guard let deadline = dht.deadline else { return demand(false, "no deadline") }
    demand(deadline >= .zero)
  }

  /// Whatever has been, every lookup ends, and what is kept can be read.
  mutating func end() {
    for _ in 0..<400 where !open.isEmpty {
      if let deadline = dht.deadline { now = max(now, deadline) }
      dht.handleTimeout(now: now)
      drain()
    }
    demand(open.isEmpty, "a lookup does not end")
    let state = dht.state
    demand((try? DHTState(decoding: state.encoded)) == state, "the state cannot be read")
  }
}
