import Metainfo
import TestSupport
import Wire

/// How a peer abuses heads.
enum HeadVice: CaseIterable {
  /// Says old heads again and again.
  case replays
  /// Says heads that the key's owner has not signed.
  case forges
  /// Says right ones, old ones and others' in hundreds.
  case floods
  /// Says heads of other keys, rightly signed.
  case otherKeys
  /// Says what is no head, in messages that are none.
  case malformed
  /// Listens and says nothing.
  case withholds
}

/// A peer that connects to nodes of the dataset's swarm and abuses heads.
final class HeadLiar {
  let network: Network
  let host: Host
  let truth: HeadTruth
  let vice: HeadVice
  var random: SplitMix64
  let peerID: PeerID
  let otherSecret: DatasetSecret
  private var sessions: [HeadLiarSession] = []
  /// Heads that it was told, in order of their numbers: it can have no others.
  private var heard: [MutableItem] = []

  init(network: Network, host: Host, truth: HeadTruth, vice: HeadVice) {
    (self.network, self.host, self.truth, self.vice) = (network, host, truth, vice)
    random = network.world.fork()
    guard let id = PeerID(Array("-XX0001-".utf8) + random.bytes(12)),
      let secret = DatasetSecret(seed: random.bytes(DatasetSecret.seedByteCount))
    else { preconditionFailure("20 bytes are a name, and 32 a seed") }
    (peerID, otherSecret) = (id, secret)
  }

  /// Listens, and calls some of the nodes every now and then.
  func start(_ nodes: [PeerEndpoint]) {
    host.listeners[HeadNode.port] = { [weak self] in self?.accept($0) }
    call(nodes)
  }

  private func call(_ nodes: [PeerEndpoint]) {
    if sessions.count < 30 {
      for _ in 0..<4 {
        let session = HeadLiarSession(liar: self)
        session.socket = network.connect(from: host, to: random.pick(nodes), owner: session)
        sessions.append(session)
      }
    }
    network.world.after(random.duration(.seconds(5) ... .seconds(20))) { [weak self] in
      self?.call(nodes)
    }
  }

  private func accept(_ socket: Socket) -> HeadLiarSession? {
    guard sessions.count < 40 else { return nil }
    let session = HeadLiarSession(liar: self)
    session.socket = socket
    sessions.append(session)
    session.begin()
    return session
  }

  func forget(_ session: HeadLiarSession) { sessions.removeAll { $0 === session } }

  func hear(_ item: MutableItem) {
    if item.sequence > heard.last?.sequence ?? 0 { heard.append(item) }
  }

  private var old: MutableItem? { heard.isEmpty ? nil : random.pick(heard) }

  /// Payloads to say now, as the vice has it.
  func lies() -> [[UInt8]] {
    switch vice {
    case .withholds: return []
    case .replays: return old.map { [HeadMessage($0).encoded] } ?? []
    case .forges:
      guard let newest = heard.last else { return [] }
      var payload = HeadMessage(newest).encoded
      let next = newest.sequence + Int64.random(in: 1...9, using: &random)
      payload.replace(
        Array("3:seqi\(newest.sequence)e".utf8), with: Array("3:seqi\(next)e".utf8))
      return [payload]
    case .floods:
      return (0..<100).compactMap { _ in
        (random.oneIn(3) ? heard.last : old).map { HeadMessage($0).encoded }
      }
    case .otherKeys:
      let head = try? Head(
        version: Int64.random(in: 1...Int64.max, using: &random), infohash: .zero,
        signedBy: otherSecret)
      return head.map { [HeadMessage($0.item).encoded] } ?? []
    case .malformed:
      guard let newest = heard.last else { return [] }
      var payload = HeadMessage(newest).encoded
      payload[Int.random(in: payload.indices, using: &random)] ^= 0x20
      if random.oneIn(2) { payload = random.bytes(Int.random(in: 0...2_000, using: &random)) }
      return [payload]
    }
  }
}

/// A connection of a liar.
final class HeadLiarSession: SocketOwner {
  unowned let liar: HeadLiar
  var socket: Socket?
  private var reader = HandshakeReader()
  private var framer = PeerFramer()
  private var outgoing = ByteQueue()
  private var isOpen = false
  /// By which number the other side takes heads.
  private var number: UInt8 = 0

  init(liar: HeadLiar) { self.liar = liar }

  func begin() {
    let handshake = Handshake(
      features: [.fast, .extensions], infohash: MutableItem.target(of: liar.truth.key),
      peerID: liar.peerID)
    var bytes = [UInt8](repeating: 0, count: Handshake.byteCount)
    bytes.withUnsafeMutableBytes { _ = handshake.encode(into: $0) }
    send(bytes)
    var hello = ExtensionHandshake()
    hello.extensions = [.head: 9, .pex: 8]
    hello.port = HeadNode.port
    send(0, hello.encoded)
  }

  private func send(_ number: UInt8, _ payload: [UInt8]) {
    let message = PeerMessage.extended(id: number, byteCount: payload.count)
    var bytes = [UInt8](repeating: 0, count: message.encodedByteCount)
    bytes.withUnsafeMutableBytes { _ = message.encode(into: $0) }
    send(bytes + payload)
  }

  private func send(_ bytes: [UInt8]) {
    // One that is not read stops by itself.
    guard socket != nil, outgoing.count < 1 << 20 else { return }
    outgoing.append(bytes)
    flush()
  }

  private func flush() {
    guard let socket, socket.room > 0, !outgoing.isEmpty else { return }
    let bytes = outgoing.take(socket.room)
    _ = bytes.withUnsafeBytes { socket.write($0) }
  }

  private func lie() {
    guard socket != nil else { return }
    for payload in liar.lies() { send(number, payload) }
    liar.network.world.after(liar.random.duration(.milliseconds(100) ... .seconds(2))) {
      [weak self] in self?.lie()
    }
  }

  private func drop() {
    socket?.close()
    socket = nil
    liar.forget(self)
  }

  func socketConnected(_ socket: Socket) { begin() }
  func socketWritable(_ socket: Socket) { flush() }
  func socketClosed(_ socket: Socket, reason: String) {
    self.socket = nil
    liar.forget(self)
  }

  func socketReadable(_ socket: Socket) {
    while let socket = self.socket, socket.readable > 0 {
      let bytes = socket.read(1 << 16)
      var offset = 0
      do {
        if !isOpen {
          offset = try reader.append(bytes.span.bytes)
          guard reader.handshake != nil else { continue }
          isOpen = true
        }
        while let element = try framer.next(in: bytes.span.bytes, at: &offset) {
          guard case .message(.extended(let id, _)) = element else { continue }
          let body = framer.withBody(in: bytes.span.bytes) { $0.withUnsafeBytes { Array($0) } }
          if id == 9, let item = try? HeadMessage(payload: body.span.bytes).item {
            liar.hear(item)
          }
          guard id == 0 else { continue }
          let hello = try ExtensionHandshake(payload: body.span.bytes)
          let isFirst = number == 0
          number = hello.extensions[.head] ?? number
          if isFirst, number != 0 { lie() }
        }
      } catch {
        liar.network.world.fail("host \(liar.host.number) cannot read what a node sent: \(error)")
        return drop()
      }
    }
  }
}
