import Metainfo
import Store
import TestSupport
import Testing
import Wire

@testable import Swarm

/// Some cores, and between them a network on which everything arrives at once and nothing is lost.
final class HeadMesh {
  final class Node {
    var swarm: Swarm
    let endpoint: PeerEndpoint
    var disk = ContentDisk()
    /// Each connection's other end.
    var links: [ConnectionID: (node: Int, id: ConnectionID)] = [:]
    var heads: [MutableItem] = []
    var twice: [Int64] = []
    var banned: [PeerEndpoint] = []
    var ends: [(PeerEndpoint, Notice.PeerEnd)] = []
    /// Bytes that were sent, by connection, and messages that tell of the DHT.
    var sent: [ConnectionID: Int] = [:]
    var ports = 0
    /// Payloads of the extension messages that were sent, by connection, number 0 included.
    var extended: [(to: ConnectionID, number: UInt8, payload: [UInt8])] = []
    fileprivate var framers: [ConnectionID: PeerFramer] = [:]

    fileprivate init(_ swarm: consuming Swarm, _ endpoint: PeerEndpoint) {
      self.swarm = swarm
      self.endpoint = endpoint
    }
  }

  var now = Duration.zero
  private(set) var nodes: [Node] = []
  /// Pairs of nodes that cannot connect.
  var isCut: (Int, Int) -> Bool = { _, _ in false }

  /// The secret of the datasets in these tests.
  static let secret = DatasetSecret(seed: [UInt8](repeating: 3, count: 32))!
  static var key: DatasetKey { secret.key }
  static var place: SHA1Digest { MutableItem.target(of: key) }

  /// A head of the tests' dataset, one of several of its number.
  static func head(_ version: Int64, _ variant: UInt8 = 0) throws -> MutableItem {
    try Head(
      version: version, infohash: SHA256Digest(hashing: [UInt8(version % 251), variant]),
      signedBy: secret
    ).item
  }

  static func endpoint(_ number: Int) -> PeerEndpoint {
    PeerEndpoint(
      address: .v4(IPv4Address(rawValue: 0x0a00_0001 + UInt32(number) << 8)), port: 6_881)
  }

  @discardableResult
  func addNode(_ change: (inout SwarmConfiguration) -> Void = { _ in }) throws -> Int {
    let number = nodes.count
    let id = try #require(
      PeerID(Array("-SW0001-".utf8) + Array("\(100_000_000_000 + number)".utf8)))
    var configuration = SwarmConfiguration(peerID: id)
    configuration.listenPort = 6_881
    change(&configuration)
    nodes.append(
      Node(Swarm(configuration: configuration, seed: UInt64(number)), Self.endpoint(number)))
    return number
  }

  /// Takes part in the dataset's own swarm.
  @discardableResult
  func meet(_ node: Int, peers: [Int] = [], readKey: ReadKey? = nil) throws -> TorrentID {
    var request = TorrentRequest(meeting: Self.key)
    request.readKey = readKey
    request.peers = peers.map(Self.endpoint)
    return try nodes[node].swarm.add(request, now: now)
  }

  /// Seeds content that is there.
  @discardableResult
  func seed(
    _ node: Int, _ fixture: ContentFixture, dataset: DatasetKey?, peers: [Int] = [],
    readKey: ReadKey? = nil
  ) throws -> TorrentID {
    for (file, bytes) in zip(fixture.geometry.files, fixture.files) {
      nodes[node].disk.files[file] = bytes
    }
    var request = TorrentRequest(
      source: .torrent(fixture.info, fixture.layers), content: .proven(leaves: []))
    request.dataset = dataset
    request.readKey = readKey
    let torrent = try nodes[node].swarm.add(request, now: now)
    // Not as the user's: those are connected to again at once, useful or not.
    nodes[node].swarm.add(
      peers: peers.map(Self.endpoint), from: .local, to: torrent, now: now)
    return torrent
  }

  /// Lets time pass.
  func pass(_ time: Duration) throws {
    let end = now + time
    pump()
    var calls = 0
    while let due = nodes.compactMap({ $0.swarm.deadline }).min(), due <= end {
      calls += 1
      try #require(calls < 200_000, "the deadline stays at \(due)")
      now = max(now, due)
      for node in nodes where node.swarm.deadline.map({ $0 <= now }) ?? false {
        node.swarm.handleTimeout(now: now)
      }
      pump()
    }
    now = end
  }

  /// Carries everything out until nothing is left.
  func pump() {
    var isIdle = false
    while !isIdle {
      isIdle = true
      for number in nodes.indices {
        while let effect = nodes[number].swarm.nextEffect() {
          isIdle = false
          carryOut(effect, number)
        }
      }
    }
  }

  private func carryOut(_ effect: Effect, _ number: Int) {
    let node = nodes[number]
    switch effect {
    case .connect(let id, let endpoint, let group): connect(number, id, endpoint, group)
    case .send(let id, .bytes(let bytes)):
      read(node, id, bytes)
      node.sent[id, default: 0] += bytes.count
      node.swarm.sent(id, byteCount: bytes.count, now: now)
      if let other = node.links[id] { give(bytes, to: other.node, other.id) }
    case .close(let id):
      if let other = node.links.removeValue(forKey: id) {
        nodes[other.node].links[other.id] = nil
        nodes[other.node].swarm.disconnected(other.id, reason: "closed", now: now)
      }
    case .disk(let torrent, let operation):
      let result = node.disk.perform(operation.action, failing: nil)
      node.swarm.completed(
        DiskCompletion(id: operation.id, result: result), of: torrent, now: now)
    case .notice(let notice): take(notice, node)
    case .send, .hash, .compress, .decompress, .prepare, .keep, .release, .resumeReading, .deliver,
      .endRead:
      break
    }
  }

  /// Groups get through as they are: whoever is called has all read keys, which is the worst for who keeps them apart.
  private func connect(
    _ number: Int, _ id: ConnectionID, _ endpoint: PeerEndpoint, _ group: PrivateGroup?
  ) {
    let node = nodes[number]
    guard let other = nodes.firstIndex(where: { $0.endpoint == endpoint }),
      !isCut(number, other), !isCut(other, number)
    else { return node.swarm.disconnected(id, reason: "refused", now: now) }
    let from = PeerEndpoint(address: node.endpoint.address, port: 40_000 + UInt16(id.slot))
    guard let accepted = nodes[other].swarm.accept(from: from, group: group, now: now) else {
      return node.swarm.disconnected(id, reason: "closed", now: now)
    }
    node.links[id] = (other, accepted)
    nodes[other].links[accepted] = (number, id)
    node.swarm.connected(id, now: now)
  }

  func give(_ bytes: [UInt8], to number: Int, _ id: ConnectionID) {
    _ = nodes[number].swarm.receive(
      id, continued: 0, chunk: bytes.span.bytes, at: BufferHandle(1 << 63), now: now)
  }

  private func read(_ node: Node, _ id: ConnectionID, _ bytes: [UInt8]) {
    var offset = 0
    if node.framers[id] == nil {
      node.framers[id] = PeerFramer()
      offset = Handshake.byteCount
    }
    while let element = try? node.framers[id]?.next(in: bytes.span.bytes, at: &offset) {
      if case .message(.port) = element { node.ports += 1 }
      guard case .message(.extended(let number, _)) = element else { continue }
      let payload = node.framers[id]?.withBody(in: bytes.span.bytes) {
        $0.withUnsafeBytes { Array($0) }
      }
      node.extended.append((id, number, payload ?? []))
    }
  }

  private func take(_ notice: Notice, _ node: Node) {
    switch notice {
    case .head(Self.key, let item): node.heads.append(item)
    case .keyUsedTwice(Self.key, let number): node.twice.append(number)
    case .banned(_, let endpoint, _): node.banned.append(endpoint)
    case .peerGone(_, _, let endpoint, let end): node.ends.append((endpoint, end))
    default: break
    }
  }
}

extension HeadMesh.Node {
  var dataset: DatasetStatus? { swarm.status(of: HeadMesh.key) }
  var version: Int64? { dataset?.head?.version }
  var meeting: TorrentID? { swarm.torrentsByInfohash[HeadMesh.place] }

  func offer(_ head: MutableItem, _ now: Duration = .zero) -> HeadVerdict {
    swarm.offer(head, now: now)
  }

  func follow(
    salt: [UInt8] = [], head: MutableItem? = nil, group: PrivateGroup? = nil
  ) -> HeadVerdict? {
    swarm.follow(HeadMesh.key, salt: salt, group: group, head: head, now: .zero)
  }

  var connections: Int { links.count }

  /// Heads that were sent, by any connection: what has the form of one.
  var sentHeads: [(to: ConnectionID, head: HeadMessage)] {
    extended.compactMap { message in
      guard message.number != 0 else { return nil }
      return (try? HeadMessage(payload: message.payload.span.bytes)).map { (message.to, $0) }
    }
  }
}

/// A peer without a core: connects to a node, and sends what a test wants.
struct HeadStranger {
  let mesh: HeadMesh
  let node: Int
  let id: ConnectionID

  /// Both handshakes with a node, at the infohash; heads are taken as number 9.
  init(
    _ mesh: HeadMesh, at node: Int, _ infohash: SHA1Digest, number: Int = 90,
    group: PrivateGroup? = nil, extensions: [PeerExtension: UInt8] = [.head: 9]
  ) throws {
    (self.mesh, self.node) = (mesh, node)
    let accepted = mesh.nodes[node].swarm.accept(
      from: HeadMesh.endpoint(number), group: group, now: mesh.now)
    id = try #require(accepted)
    let peerID = try #require(
      PeerID(Array("-XX0001-".utf8) + Array("\(200_000_000_000 + number)".utf8)))
    let handshake = Handshake(features: [.fast, .extensions], infohash: infohash, peerID: peerID)
    var bytes = [UInt8](repeating: 0, count: Handshake.byteCount)
    bytes.withUnsafeMutableBytes { _ = handshake.encode(into: $0) }
    mesh.give(bytes, to: node, id)
    mesh.pump()
    var hello = ExtensionHandshake()
    hello.extensions = extensions
    send(0, hello.encoded)
  }

  func send(_ number: UInt8, _ payload: [UInt8]) {
    let message = PeerMessage.extended(id: number, byteCount: payload.count)
    var bytes = [UInt8](repeating: 0, count: message.encodedByteCount)
    bytes.withUnsafeMutableBytes { _ = message.encode(into: $0) }
    mesh.give(bytes + payload, to: node, id)
    mesh.pump()
  }

  func send(_ head: MutableItem) { send(5, HeadMessage(head).encoded) }

  /// Heads that the node sent here.
  var received: [Int64] {
    mesh.nodes[node].sentHeads.filter { $0.to == id }.map(\.head.sequence)
  }

  /// What the node said it takes.
  var offered: [PeerExtension: UInt8] {
    mesh.nodes[node].extended.filter { $0.to == id && $0.number == 0 }.reduce(into: [:]) {
      let handshake = try? ExtensionHandshake(payload: $1.payload.span.bytes)
      $0.merge(handshake?.extensions ?? [:]) { $1 }
    }
  }

  var isBanned: Bool {
    mesh.nodes[node].ends.contains { if case (_, .corrupt) = $0 { true } else { false } }
  }
}
