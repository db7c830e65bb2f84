import Metainfo
import Store
import TestSupport

/// The disk of one node and one torrent: content, and block maps, in memory.
final class VirtualDisk {
  private let world: World
  private let host: Int
  private var random: SplitMix64
  private(set) var files: [FileIndex: DiskFile] = [:]
  private var links: [FileIndex: [UInt8]] = [:]
  private var maps: [String: DiskFile] = [:]
  private var clock: Int64 = 1_000
  /// The content is the user's: a write is a failure of the node.
  let isReadOnly: Bool

  /// How long an operation takes.
  var latency = Duration.microseconds(50)...Duration.milliseconds(3)
  /// How likely an operation fails.
  var failureChance = 0.0
  /// Whether writes find no room.
  var isFull = false {
    didSet { if isFull { wasFull = true } }
  }
  private(set) var wasFull = false
  /// How many operations failed.
  private(set) var failures = 0

  init(world: World, host: Int, isReadOnly: Bool) {
    (self.world, self.host, self.isReadOnly) = (world, host, isReadOnly)
    random = world.fork()
  }

  /// Puts a file there as if it had always been.
  func place(_ file: FileIndex, _ bytes: [UInt8]) {
    files[file] = DiskFile(bytes: bytes, time: clock)
  }

  func drawLatency() -> Duration {
    random.oneIn(40)
      ? random.duration(latency) * 20 : random.duration(latency)
  }

  /// Carries out an operation; one that fails may have done a part.
  func perform(
    _ action: DiskAction, _ memory: NodeMemory
  ) -> Result<DiskCompletion.Value, DiskFailure> {
    clock += 1
    let failure = drawFailure(action)
    if let failure {
      failures += 1
      world.note(.diskFailed, host, failures, 0, failure.description)
    }
    let result = perform(action, memory, failure)
    // What a failed sync left behind may leave the cache at any time.
    if failure != nil, Bool.random(using: &random) { evict() }
    return result
  }

  /// The operation was under way when the node ended: it has happened, or not, or in part.
  func abandon(_ action: DiskAction, _ memory: NodeMemory) {
    let failure = DiskFailure(reason: .other, description: "cut off")
    _ = perform(action, memory, Bool.random(using: &random) ? failure : nil)
  }

  /// Everything that was not synced is on the medium, or not, or half.
  func cutPower() {
    for file in files.keys.sorted() {
      if files[file]?.nameIsDurable == false, Bool.random(using: &random) { files[file] = nil }
      files[file]?.cutPower(&random)
    }
    for name in maps.keys.sorted() {
      if maps[name]?.nameIsDurable == false, Bool.random(using: &random) { maps[name] = nil }
      maps[name]?.cutPower(&random)
    }
  }

  /// Somebody changes bytes of a file.
  func damage(_ file: FileIndex) {
    guard let size = files[file]?.cached.count, size > 0 else { return }
    clock += 1
    for _ in 0..<Int.random(in: 1...3, using: &random) {
      let offset = Int.random(in: 0..<size, using: &random)
      let value = (files[file]?.cached[offset] ?? 0) ^ UInt8.random(in: 1...255, using: &random)
      files[file]?.damage(offset, value, time: clock)
    }
  }

  private func drawFailure(_ action: DiskAction) -> DiskFailure? {
    if isFull {
      switch action {
      case .write, .writeMap, .create:
        return DiskFailure(reason: .noSpace, description: "no space left on device")
      default: break
      }
    }
    guard Double.random(in: 0..<1, using: &random) < failureChance else { return nil }
    return DiskFailure(reason: .other, description: "input/output error")
  }

  private func evict() {
    for file in files.keys { files[file]?.evict() }
    for name in maps.keys { maps[name]?.evict() }
  }

  // MARK: Operations

  private func perform(
    _ action: DiskAction, _ memory: NodeMemory, _ failure: DiskFailure?
  ) -> Result<DiskCompletion.Value, DiskFailure> {
    var value = DiskCompletion.Value.done
    switch action {
    case .create(let file, let length, _, _):
      guardOwned()
      if let failure { return .failure(failure) }
      if let error = create(file, Int(length)) { return .failure(error) }
    case .createSymlink(let file, let text, _):
      guardOwned()
      if failure == nil { links[file] = text }
    case .write(let parts, _):
      guardOwned()
      if let error = write(parts, memory, isPart: failure != nil) { return .failure(error) }
    case .read(let parts, let reportsEvidence):
      if let failure { return .failure(failure) }
      if let error = read(parts, memory) { return .failure(error) }
      var order: [FileIndex] = []
      for case let file? in parts.map(\.file) where !order.contains(file) { order.append(file) }
      if reportsEvidence { value = .evidence(order.map(evidence)) }
    case .sync(let file, let isNew):
      guard files[file] != nil else { return .failure(Self.missing) }
      if failure == nil { files[file]?.sync() } else { files[file]?.failSync(&random) }
      if failure == nil, isNew { files[file]?.nameIsDurable = true }
    case .examine(let file): value = .evidence([evidence(file)])
    case .loadMap(let name, let capacity): value = .map(load(name.text, Int(capacity)))
    case .writeMap(let name, let offset, let bytes):
      writeMap(name.text, Int(offset), bytes, isPart: failure != nil)
    case .syncMap(let name, let isNew):
      guard maps[name.text] != nil else { return .failure(Self.missing) }
      if failure == nil { maps[name.text]?.sync() } else { maps[name.text]?.failSync(&random) }
      if failure == nil, isNew { maps[name.text]?.nameIsDurable = true }
    }
    return failure.map { .failure($0) } ?? .success(value)
  }

  private static let missing = DiskFailure(reason: .other, description: "no such file")

  private func guardOwned() {
    if isReadOnly { world.fail("host \(host) writes to the user's own folder") }
  }

  private func evidence(_ file: FileIndex) -> FileEvidence? {
    files[file].map {
      FileEvidence(
        size: UInt64($0.cached.count), modified: $0.time, changed: $0.time,
        inode: UInt64(file.rawValue) + 1)
    }
  }

  private func create(_ file: FileIndex, _ length: Int) -> DiskFailure? {
    guard let size = files[file]?.cached.count else {
      files[file] = DiskFile(size: length, time: clock)
      return nil
    }
    if size > length { return DiskFailure(reason: .other, description: "longer file there") }
    files[file]?.grow(length)
    return nil
  }

  private func write(
    _ parts: [TransferPart], _ memory: NodeMemory, isPart: Bool
  ) -> DiskFailure? {
    for part in parts {
      guard let file = part.file else { continue }
      guard let size = files[file]?.cached.count else { return Self.missing }
      guard Int(part.offset) + Int(part.length) <= size else {
        world.fail("host \(host) writes beyond the end of a file")
        return Self.missing
      }
      let bytes = memory.bytes(part.buffer, from: Int(part.bufferOffset), count: Int(part.length))
      guard let bytes else { return Self.missing }
      var start = 0
      while start < bytes.count {
        let end = min(bytes.count, start + DiskFile.sector)
        if !isPart || Bool.random(using: &random) {
          files[file]?.write(
            UnsafeRawBufferPointer(rebasing: bytes[start..<end]), at: Int(part.offset) + start,
            time: clock)
        }
        start = end
      }
    }
    return nil
  }

  private func read(_ parts: [TransferPart], _ memory: NodeMemory) -> DiskFailure? {
    for part in parts {
      let room = memory.room(part.buffer, from: Int(part.bufferOffset), count: Int(part.length))
      guard let room else { return Self.missing }
      guard let file = part.file else {
        room.initializeMemory(as: UInt8.self, repeating: 0)
        continue
      }
      guard let bytes = files[file]?.cached else { return Self.missing }
      let end = Int(part.offset) + Int(part.length)
      guard end <= bytes.count else {
        return DiskFailure(reason: .other, description: "the file ends early")
      }
      bytes.withUnsafeBytes {
        room.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[Int(part.offset)..<end]))
      }
    }
    return nil
  }

  private func load(_ name: String, _ capacity: Int) -> [[UInt8]]? {
    guard let bytes = maps[name]?.cached else { return nil }
    return [0, capacity].map { start in
      Array(bytes[min(start, bytes.count)..<min(start + capacity, bytes.count)])
    }
  }

  private func writeMap(_ name: String, _ offset: Int, _ bytes: [UInt8], isPart: Bool) {
    if maps[name] == nil { maps[name] = DiskFile(size: 0, time: clock) }
    bytes.withUnsafeBytes { bytes in
      var start = 0
      while start < bytes.count {
        let end = min(bytes.count, start + DiskFile.sector)
        if !isPart || Bool.random(using: &random) {
          maps[name]?.write(
            UnsafeRawBufferPointer(rebasing: bytes[start..<end]), at: offset + start, time: clock)
        }
        start = end
      }
    }
  }
}
