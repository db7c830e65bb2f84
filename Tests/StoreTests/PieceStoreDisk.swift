import Metainfo
import TestSupport

@testable import Store

/// A disk that forgets: what was not synced survives a power cut in any mixture of old and new.
///
/// Payload bytes are not kept, only whether they are the right ones: a part of a block in a file is
/// two halves, each zero, right or wrong. Block maps are kept byte for byte in sectors.
struct SimulatedDisk {
  enum Content: UInt8 { case zero, right, wrong }

  /// What can be torn on its own. Invariant: the page cache has `cached`; the medium has `durable`,
  /// or one of `unsynced` if the system wrote it back early.
  struct Unit<Value: Equatable> {
    var cached: Value
    var durable: Value
    var unsynced: [Value] = []

    init(_ value: Value) { (cached, durable) = (value, value) }

    mutating func write(_ value: Value) {
      cached = value
      unsynced.append(value)
    }
    mutating func sync() {
      if !unsynced.isEmpty { durable = cached }
      unsynced = []
    }
    /// The system gave up on the dirty pages: clean now, and on the medium or not.
    mutating func failSync(_ random: inout SplitMix64) {
      durable = ([durable] + unsynced).randomElement(using: &random) ?? durable
      unsynced = []
    }
    mutating func evict() { if unsynced.isEmpty { cached = durable } }
    mutating func cutPower(_ random: inout SplitMix64) {
      failSync(&random)
      cached = durable
    }
  }

  struct File {
    var halves: [UInt64: Unit<Content>] = [:]
    var times: Unit<Int64>
    var size: UInt64
    var nameIsDurable = false
  }

  struct Map {
    var sectors: [UInt64: Unit<[UInt8]>] = [:]
    var nameIsDurable = false
  }

  static let sector = 64
  var files: [FileIndex: File] = [:]
  var links: [FileIndex: [UInt8]] = [:]
  var maps: [String: Map] = [:]
  /// What the buffers hold, by handle; the same in all halves that a write or read touches.
  var buffers: [UInt64: Content] = [:]
  var clock: Int64 = 1

  /// Carries out an operation, all of it, or of a failing one a part.
  mutating func perform(
    _ action: DiskAction, failing: DiskFailure?, _ random: inout SplitMix64
  ) -> Result<DiskCompletion.Value, DiskFailure> {
    clock += 1
    var value = DiskCompletion.Value.done
    switch action {
    case .create(let file, let length, _, _):
      if failing == nil, files[file] == nil { files[file] = File(times: Unit(clock), size: length) }
    case .createSymlink(let file, let text, _): if failing == nil { links[file] = text }
    case .write(let parts, _): write(parts, partly: failing != nil, &random)
    case .read(let parts, let reportsEvidence):
      if failing == nil, let failure = read(parts, &random) { return .failure(failure) }
      var order: [FileIndex] = []
      for case let file? in parts.map(\.file) where !order.contains(file) { order.append(file) }
      if reportsEvidence { value = .evidence(order.map(evidence)) }
    case .sync(let file, let isNew): sync(file, isNew: isNew, fails: failing != nil, &random)
    case .examine(let file): value = .evidence([evidence(file)])
    case .loadMap(let name, let capacity): value = .map(load(name.text, capacity))
    case .writeMap(let name, let offset, let bytes):
      writeMap(name.text, offset, bytes, partly: failing != nil, &random)
    case .syncMap(let name, let isNew):
      syncMap(name.text, isNew: isNew, fails: failing != nil, &random)
    }
    return failing.map { .failure($0) } ?? .success(value)
  }

  /// Everything not synced is on the medium, or not, or half.
  mutating func cutPower(_ random: inout SplitMix64) {
    for (name, file) in sorted(files) {
      guard file.nameIsDurable || Bool.random(using: &random) else {
        files[name] = nil
        continue
      }
      for key in file.halves.keys.sorted() { files[name]?.halves[key]?.cutPower(&random) }
      files[name]?.times.cutPower(&random)
      files[name]?.nameIsDurable = true
    }
    for name in maps.keys.sorted() {
      guard maps[name]?.nameIsDurable == true || Bool.random(using: &random) else {
        maps[name] = nil
        continue
      }
      for key in (maps[name]?.sectors.keys ?? [:].keys).sorted() {
        maps[name]?.sectors[key]?.cutPower(&random)
      }
      maps[name]?.nameIsDurable = true
    }
  }

  /// Pages that are clean, but never reached the medium, leave the cache.
  mutating func evict() {
    for name in files.keys {
      for key in (files[name]?.halves.keys).map(Array.init) ?? [] {
        files[name]?.halves[key]?.evict()
      }
    }
  }

  /// What a reader of the block would see.
  func content(of block: BlockIndex, _ geometry: PieceGeometry) -> Content {
    var parts: [Content] = []
    for span in geometry.spans(of: block) {
      guard let file = span.file else { continue }
      for half in [span.offset * 2, span.offset * 2 + 1] {
        parts.append(files[file]?.halves[half]?.cached ?? .zero)
      }
    }
    if parts.allSatisfy({ $0 == .right }) { return .right }
    return parts.allSatisfy { $0 == .zero } ? .zero : .wrong
  }

  func evidence(_ file: FileIndex) -> FileEvidence? {
    files[file].map {
      FileEvidence(size: $0.size, modified: $0.times.cached, changed: $0.times.cached, inode: 1)
    }
  }

  // MARK: Operations

  mutating func write(_ parts: [TransferPart], partly: Bool, _ random: inout SplitMix64) {
    for part in parts {
      guard let file = part.file else { continue }
      precondition(files[file] != nil, "a write to a file that was not created")
      for half in [part.offset * 2, part.offset * 2 + 1]
      where !partly || Bool.random(using: &random) {
        let content = buffers[part.buffer.rawValue] ?? .wrong
        files[file]?.halves[half, default: Unit(.zero)].write(content)
      }
      files[file]?.times.write(clock)
    }
  }

  private mutating func read(_ parts: [TransferPart], _: inout SplitMix64) -> DiskFailure? {
    var contents: [UInt64: Content] = [:]
    for part in parts {
      guard let file = part.file else { continue }
      guard let found = files[file] else {
        return DiskFailure(reason: .other, description: "no such file")
      }
      for half in [part.offset * 2, part.offset * 2 + 1] {
        let content = found.halves[half]?.cached ?? .zero
        let before = contents[part.buffer.rawValue] ?? content
        contents[part.buffer.rawValue] = before == content ? content : .wrong
      }
    }
    buffers.merge(contents) { $1 }
    return nil
  }

  private mutating func sync(
    _ file: FileIndex, isNew: Bool, fails: Bool, _ random: inout SplitMix64
  ) {
    guard var state = files[file] else { return }
    for key in state.halves.keys.sorted() {
      if fails { state.halves[key]?.failSync(&random) } else { state.halves[key]?.sync() }
    }
    if fails { state.times.failSync(&random) } else { state.times.sync() }
    if isNew, !fails { state.nameIsDurable = true }
    files[file] = state
  }

  private func load(_ name: String, _ capacity: UInt64) -> [[UInt8]]? {
    guard let map = maps[name] else { return nil }
    return [0, capacity].map { start in
      var bytes: [UInt8] = []
      let sector = UInt64(Self.sector)
      let end = map.sectors.keys.filter { $0 >= start && $0 < start + capacity }.max() ?? start
      for key in stride(from: start, through: end, by: Self.sector) {
        precondition(key % sector == 0)
        bytes += map.sectors[key]?.cached ?? [UInt8](repeating: 0, count: Self.sector)
      }
      return bytes
    }
  }

  private mutating func writeMap(
    _ name: String, _ offset: UInt64, _ bytes: [UInt8], partly: Bool, _ random: inout SplitMix64
  ) {
    var map = maps[name] ?? Map()
    for start in stride(from: 0, to: bytes.count, by: Self.sector) {
      if partly, Bool.random(using: &random) { continue }
      let key = offset + UInt64(start)
      let zeros = [UInt8](repeating: 0, count: Self.sector)
      var unit = map.sectors[key] ?? Unit(zeros)
      let new = Array(bytes[start..<min(start + Self.sector, bytes.count)])
      unit.write(new + unit.cached.dropFirst(new.count))
      map.sectors[key] = unit
    }
    maps[name] = map
  }

  private mutating func syncMap(
    _ name: String, isNew: Bool, fails: Bool, _ random: inout SplitMix64
  ) {
    guard var map = maps[name] else { return }
    for key in map.sectors.keys.sorted() {
      if fails { map.sectors[key]?.failSync(&random) } else { map.sectors[key]?.sync() }
    }
    if isNew, !fails { map.nameIsDurable = true }
    maps[name] = map
  }

  private func sorted(_ files: [FileIndex: File]) -> [(FileIndex, File)] {
    files.sorted { $0.key < $1.key }
  }
}
