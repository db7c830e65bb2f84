import TestSupport

/// A file of a simulated disk: what programs see of it, and what would be left after a power cut.
struct DiskFile {
  /// What can be torn on its own, in bytes.
  static let sector = 512

  /// What is in the page cache: what programs see.
  private(set) var cached: [UInt8]
  /// What is on the medium.
  private var durable: [UInt8]
  /// Sectors that are newer in the cache.
  private var dirty: Set<Int> = []
  /// Sectors that the system takes for clean although their sync failed.
  private var doubtful: Set<Int> = []
  /// Whether the file's name is on the medium.
  var nameIsDurable = false
  /// When it was last written to, by the disk's clock; on the medium and in the cache.
  private(set) var time: Int64
  private var durableTime: Int64

  /// A file of zeros, of which only the name may be lost.
  init(size: Int, time: Int64) {
    cached = [UInt8](repeating: 0, count: size)
    durable = cached
    (self.time, durableTime) = (time, time)
  }

  /// A file that is there since long ago.
  init(bytes: [UInt8], time: Int64) {
    (cached, durable) = (bytes, bytes)
    (self.time, durableTime) = (time, time)
    nameIsDurable = true
  }

  mutating func write(_ bytes: UnsafeRawBufferPointer, at offset: Int, time: Int64) {
    grow(offset + bytes.count)
    cached.withUnsafeMutableBytes {
      UnsafeMutableRawBufferPointer(rebasing: $0[offset..<(offset + bytes.count)])
        .copyMemory(from: bytes)
    }
    for sector in offset / Self.sector..<(offset + bytes.count + Self.sector - 1) / Self.sector {
      dirty.insert(sector)
    }
    self.time = time
  }

  /// Somebody else's change, at once on the medium.
  mutating func damage(_ offset: Int, _ value: UInt8, time: Int64) {
    cached[offset] = value
    durable[offset] = value
    (self.time, durableTime) = (time, time)
  }

  mutating func grow(_ size: Int) {
    guard size > cached.count else { return }
    cached += [UInt8](repeating: 0, count: size - cached.count)
    durable += [UInt8](repeating: 0, count: size - durable.count)
  }

  mutating func sync() {
    for sector in dirty { Self.copy(sector, from: cached, to: &durable) }
    dirty = []
    durableTime = time
  }

  /// The sync failed: each sector is on the medium or not, and clean in the cache, which is true of
  /// it until it leaves the cache.
  mutating func failSync(_ random: inout SplitMix64) {
    for sector in dirty.sorted() {
      if Bool.random(using: &random) {
        Self.copy(sector, from: cached, to: &durable)
      } else {
        doubtful.insert(sector)
      }
    }
    dirty = []
  }

  /// Clean sectors leave the cache.
  mutating func evict() {
    for sector in doubtful where !dirty.contains(sector) {
      Self.copy(sector, from: durable, to: &cached)
    }
    doubtful = []
  }

  /// Power is cut: each sector that was not synced is old or new.
  mutating func cutPower(_ random: inout SplitMix64) {
    for sector in dirty.sorted() where Bool.random(using: &random) {
      Self.copy(sector, from: cached, to: &durable)
    }
    if Bool.random(using: &random) { durableTime = time }
    cached = durable
    time = durableTime
    (dirty, doubtful) = ([], [])
    nameIsDurable = true
  }

  /// Static: with all of the file as `self`, each sector would copy both arrays.
  private static func copy(_ sector: Int, from source: [UInt8], to target: inout [UInt8]) {
    let start = sector * Self.sector
    let end = min(start + Self.sector, source.count)
    guard start < end else { return }
    target.withUnsafeMutableBytes { target in
      source.withUnsafeBytes { source in
        UnsafeMutableRawBufferPointer(rebasing: target[start..<end])
          .copyMemory(from: UnsafeRawBufferPointer(rebasing: source[start..<end]))
      }
    }
  }
}
