import Metainfo
import TestSupport
import Wire

/// A peer that follows a script over real messages, honest or not. Knows all of the content.
final class ScriptedPeer {
  let world: World
  let network: Network
  let host: Host
  let dataset: Dataset
  let vice: Vice
  let peerID: PeerID
  let infohash: SHA1Digest
  var random: SplitMix64
  private(set) var sessions: [ScriptedSession] = []
  /// Blocks that it downloaded, and when it had the last of them.
  private(set) var blocks: Set<BlockIndex> = []
  private(set) var finishedAt: Duration?
  /// Blocks that it asked somebody for.
  var requested: Set<BlockIndex> = []
  /// Whether it begins with the content.
  let hasContent: Bool
  let wantsContent: Bool
  /// Bytes of blocks that came.
  var downloadedBytes = 0
  /// Blocks that it sent, right or wrong.
  var sentBlocks = 0

  static let port: UInt16 = 6_881

  init(
    network: Network, host: Host, dataset: Dataset, vice: Vice, hasContent: Bool,
    wantsContent: Bool
  ) {
    (self.network, self.host, self.dataset, self.vice) = (network, host, dataset, vice)
    (self.hasContent, self.wantsContent) = (hasContent, wantsContent)
    world = network.world
    random = world.fork()
    let bytes = Array("-XX0001-".utf8) + random.bytes(12)
    guard let id = PeerID(bytes) else { preconditionFailure("20 bytes are a name") }
    peerID = id
    let hashes = [dataset.info.infohashV1, dataset.info.infohashV2?.truncated].compactMap { $0 }
    infohash = random.pick(hashes)
  }

  /// Whether it takes blocks as frames, and gives them so.
  var takesFrames: Bool { host.number.isMultiple(of: 2) }

  var endpoint: PeerEndpoint { host.endpoint(Self.port) }

  /// Begins to listen.
  func start() {
    host.listeners[Self.port] = { [weak self] socket in self?.accept(socket) }
    world.note(.started, host.number, 0, 0, vice.rawValue)
  }

  /// Connects, as often as the vice has it.
  func connect(to endpoint: PeerEndpoint) {
    for _ in 0..<(vice == .duplicates ? 6 : 1) {
      let session = ScriptedSession(peer: self, isIncoming: false)
      session.socket = network.connect(from: host, to: endpoint, owner: session)
      sessions.append(session)
    }
  }

  func stop() {
    host.listeners = [:]
    for session in sessions { session.end() }
    sessions = []
  }

  func forget(_ session: ScriptedSession) { sessions.removeAll { $0 === session } }

  /// A block came, with the right bytes.
  func received(_ block: BlockIndex) {
    blocks.insert(block)
    guard finishedAt == nil, isFinished else { return }
    finishedAt = world.now
    world.note(.finished, host.number)
  }

  var isFinished: Bool {
    dataset.geometry.pieces.allSatisfy { piece in
      dataset.geometry.blocks(of: piece).allSatisfy { blocks.contains($0) }
    }
  }

  private func accept(_ socket: Socket) -> ScriptedSession? {
    guard sessions.count < 200 else { return nil }
    let session = ScriptedSession(peer: self, isIncoming: true)
    session.socket = socket
    sessions.append(session)
    return session
  }
}
