import Metainfo
import Store
import Testing
import Wire

@testable import Swarm

/// A core with a small torrent, memory and a disk, whose jobs of compression end when the test says so; and peers
/// that say what the test says.
final class FrameNode {
  let fixture: ContentFixture
  var swarm: Swarm
  var disk = ContentDisk()
  var now = Duration.seconds(1)
  let torrent: TorrentID
  /// Whether jobs of compression end at once.
  var endsJobs = true
  var compressions: [CompressionJob] = []
  var openings: [DecompressionJob] = []
  /// Blocks compressed, and frames opened, in all.
  var compressed = 0
  var opened = 0
  /// What peers were sent.
  var plain: [ConnectionID: [BlockRequest]] = [:]
  var frames: [ConnectionID: [(block: BlockRequest, bytes: [UInt8])]] = [:]
  var rejects: [ConnectionID: [BlockRequest]] = [:]
  var requests: [ConnectionID: [BlockRequest]] = [:]
  var offers: [ConnectionID: ExtensionHandshake] = [:]
  var closed: Set<ConnectionID> = []
  var banned: [String] = []
  var isFinished = false
  var isGone = false
  /// Blocks that reads were given, and those that have ended.
  var delivered: [ReadID: Int] = [:]
  /// Whether what is sent is taken at once.
  var takesBytes = true
  private var framers: [ConnectionID: PeerFramer] = [:]
  /// Hashes that peers are about to send.
  private var answers: [(ConnectionID, [UInt8])] = []
  private var nextSlab: UInt64 = 0

  /// By which number the peers take frames.
  static let number: UInt8 = 33

  /// A seed, or a node that has nothing.
  init(
    isSeed: Bool, mask: UInt8 = 0x03, kind: TorrentKind = .v2, blocks: Int = 8,
    _ change: (inout SwarmConfiguration) -> Void = { _ in }
  ) throws {
    fixture = try ContentFixture(
      kind, lengths: [blocks * blockLength - 1_000], pieceLength: 65_536, seed: 5, mask: mask)
    let id = try #require(PeerID(Array("-SW0001-000000000000".utf8)))
    var configuration = SwarmConfiguration(peerID: id)
    change(&configuration)
    swarm = Swarm(configuration: configuration, seed: 1)
    if isSeed {
      for (file, bytes) in zip(fixture.geometry.files, fixture.files) { disk.files[file] = bytes }
    }
    let request = TorrentRequest(
      source: .torrent(fixture.info, fixture.layers),
      content: isSeed ? .proven(leaves: []) : .owned)
    torrent = try swarm.add(request, now: now)
    drain()
  }

  /// A peer by its number that has shaken hands; on this machine if `isNear`.
  func connect(_ number: UInt32, takesFrames: Bool = true, isNear: Bool = false) throws
    -> ConnectionID
  {
    let host: UInt32 = isNear ? 0x7f00_0001 : 0x0a00_0000 + number
    let endpoint = PeerEndpoint(
      address: .v4(IPv4Address(rawValue: host)), port: UInt16(7_000 + number))
    let accepted = swarm.accept(from: endpoint, now: now)
    let peer = try #require(accepted)
    let infohash = try #require(fixture.info.infohashV2?.truncated ?? fixture.info.infohashV1)
    let name = try #require(
      PeerID(Array("-XX0001-".utf8) + Array(String(100_000_000_000 + Int(number)).utf8)))
    var bytes = [UInt8](repeating: 0, count: Handshake.byteCount)
    let handshake = Handshake(features: [.fast, .extensions], infohash: infohash, peerID: name)
    bytes.withUnsafeMutableBytes { _ = handshake.encode(into: $0) }
    receive(peer, bytes)
    var hello = ExtensionHandshake()
    if takesFrames { hello.extensions = [.zstd: Self.number] }
    say(peer, .extended(id: 0, byteCount: hello.encoded.count), hello.encoded)
    return peer
  }

  func say(_ peer: ConnectionID, _ message: PeerMessage, _ body: [UInt8] = []) {
    receive(peer, Self.bytes(message, body))
  }

  static func bytes(_ message: PeerMessage, _ body: [UInt8] = []) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: message.encodedByteCount)
    bytes.withUnsafeMutableBytes { _ = message.encode(into: $0) }
    return bytes + body
  }

  /// The message that brings a frame.
  static func bytes(_ block: BlockRequest, frame: [UInt8]) -> [UInt8] {
    let payload = CompressedBlock(block: block, frameByteCount: frame.count).encoded + frame
    return bytes(.extended(id: 7, byteCount: payload.count), payload)
  }

  func receive(_ peer: ConnectionID, _ bytes: [UInt8]) {
    nextSlab += 1
    let base = BufferHandle(1 << 63 | nextSlab << 32)
    let intake = swarm.receive(
      peer, continued: 0, chunk: bytes.span.bytes, at: base, now: now)
    #expect(intake.kept == 0, "only frames are sent to it")
    drain()
  }

  func pass(_ time: Duration) {
    let end = now + time
    while let due = swarm.deadline, due <= end {
      now = max(now, due)
      swarm.handleTimeout(now: now)
      drain()
    }
    now = end
  }

  /// Ends all jobs of compression that wait.
  func endJobs() {
    while !compressions.isEmpty || !openings.isEmpty {
      if !compressions.isEmpty { end(compressions.removeFirst()) }
      if !openings.isEmpty { end(openings.removeFirst()) }
      drain()
    }
  }

  private func end(_ job: CompressionJob) {
    guard var compressor = BlockCompressor() else { return }
    compressed += job.parts.count
    let frames = job.parts.map { part -> [UInt8]? in
      let block = disk.buffers[part.buffer.rawValue]?.prefix(Int(part.length)) ?? []
      return block.withUnsafeBytes { compressor.frame(of: $0, level: job.level) }
    }
    swarm.compressed(job.id, frames, now: now)
  }

  private func end(_ job: DecompressionJob) {
    guard var decompressor = BlockDecompressor() else { return }
    opened += job.parts.count
    let faults = job.parts.map { part -> CompressionError? in
      var block = [UInt8](repeating: 0xee, count: Int(part.length))
      let fault = block.withUnsafeMutableBytes { block -> CompressionError? in
        part.frame.withUnsafeBytes { frame in
          do throws(CompressionError) {
            try decompressor.decompress(frame, into: block)
            return nil
          } catch {
            return error
          }
        }
      }
      disk.buffers[part.buffer.rawValue] = block
      return fault
    }
    swarm.decompressed(job.id, faults, now: now)
  }

  func drain() {
    while let effect = swarm.nextEffect() {
      switch consume effect {
      case .send(let id, let out): take(out, to: id)
      case .close(let id): closed.insert(id)
      case .disk(let id, let operation):
        let result = disk.perform(operation.action, failing: nil)
        swarm.completed(DiskCompletion(id: operation.id, result: result), of: id, now: now)
      case .hash(let id, let job): swarm.hashed(job.id, of: id, result(job.work), now: now)
      case .deliver(let read, _, let buffer):
        delivered[read, default: 0] += 1
        swarm.finish(buffer)
      case .compress(let job): compressions.append(job)
      case .decompress(let job): openings.append(job)
      case .notice(.banned(_, _, let what)): banned.append(what)
      case .notice(.finished): isFinished = true
      case .notice(.closed): isGone = true
      default: break
      }
      if endsJobs, !compressions.isEmpty || !openings.isEmpty { endJobs() }
    }
    while let (id, bytes) = answers.popLast() { receive(id, bytes) }
  }

  private func result(_ work: HashJob.Work) -> HashResult {
    func bytes(_ part: HashPart) -> ArraySlice<UInt8> {
      disk.buffers[part.buffer.rawValue]?.prefix(Int(part.length)) ?? []
    }
    switch work {
    case .leaves(let parts): return .leaves(parts.map { SHA256Digest(hashing: bytes($0)) })
    case .piece(let parts, let zeros):
      return .piece(
        SHA1Digest(hashing: parts.flatMap(bytes) + [UInt8](repeating: 0, count: Int(zeros))))
    case .pieceRun(let stream, let parts, let zeros, let isLast):
      for part in parts { Array(bytes(part)).withUnsafeBytes { stream.update($0) } }
      stream.update(zeros: Int(zeros))
      return isLast ? .piece(stream.finish()) : .more
    }
  }

  private func take(_ out: Outgoing, to id: ConnectionID) {
    switch out {
    case .block(let request, let buffer, _):
      plain[id, default: []].append(request)
      let right = right(request)
      #expect(disk.buffers[buffer.rawValue]?.prefix(right.count).elementsEqual(right) == true)
    case .bytes(let bytes): read(id, bytes)
    }
    if takesBytes { swarm.sent(id, byteCount: out.byteCount, now: now) }
  }

  private func read(_ id: ConnectionID, _ bytes: [UInt8]) {
    var offset = framers[id] == nil ? Handshake.byteCount : 0
    var framer = framers[id] ?? PeerFramer()
    while let element = try? framer.next(in: bytes.span.bytes, at: &offset) {
      guard case .message(let message) = element else { continue }
      let body = framer.withBody(in: bytes.span.bytes) { $0.withUnsafeBytes { Array($0) } }
      switch message {
      case .reject(let block): rejects[id, default: []].append(block)
      case .request(let block): requests[id, default: []].append(block)
      case .hash(.request(let request)):
        if case .hashes(let response)? = fixture.trees[request.piecesRoot]?.response(to: request) {
          answers.append((id, Self.bytes(.hash(.hashes(response)))))
        }
      case .extended(0, _): offers[id] = try? ExtensionHandshake(payload: body.span.bytes)
      case .extended(Self.number, _):
        guard let message = try? CompressedBlock(payload: body.span.bytes) else {
          Issue.record("a frame that cannot be read")
          continue
        }
        frames[id, default: []].append((message.block, Array(body.dropFirst(12))))
      default: break
      }
    }
    framers[id] = framer
  }

  /// The bytes of a block.
  func right(_ block: BlockRequest) -> [UInt8] {
    let start = Int(block.piece) * Int(fixture.geometry.pieceLength) + Int(block.begin)
    let bytes = fixture.files[0].dropFirst(start).prefix(Int(block.length))
    return bytes + [UInt8](repeating: 0, count: Int(block.length) - bytes.count)
  }

  /// The frame of a block's bytes.
  func frame(_ block: BlockRequest, _ change: (inout [UInt8]) -> Void = { _ in }) throws -> [UInt8]
  {
    var bytes = right(block)
    change(&bytes)
    guard var compressor = BlockCompressor() else { return [] }
    let frame = bytes.withUnsafeBytes { compressor.frame(of: $0, level: 3) }
    return try #require(frame)
  }

  var status: TorrentStatus? { swarm.status(of: torrent) }
  var compression: CompressionFigures { swarm.compression }
  /// The first of the frames for which there is no buffer.
  var waitingFrame: ArrivedFrame? { swarm.frames.arrived.first }
  var hasWaitingFrame: Bool { !swarm.frames.arrived.isEmpty }
  func session(_ id: ConnectionID) -> Peer? { swarm.slots[Int(id.slot)] }
  func wantsInput(_ id: ConnectionID) -> Bool { swarm.wantsInput(id) }

  /// All blocks as they are asked for.
  var blocks: [BlockRequest] { fixture.blocks.map(fixture.geometry.request) }

  /// Whether no buffer and no held block is left over.
  var isIdle: Bool {
    let idle = swarm.idle
    return idle.buffers == swarm.configuration.poolBuffers && idle.purposes == 0
      && idle.heldBlocks == 0
  }
}
