import Metainfo
import Store

/// The disk of one torrent, in memory.
struct SessionDisk {
  let truth: SessionTruth
  let isReadOnly: Bool
  private(set) var files: [FileIndex: [UInt8]] = [:]
  private var times: [FileIndex: Int64] = [:]
  private var maps: [String: [UInt8]] = [:]
  private var clock: Int64 = 1
  /// Something wrong may be in the files: not by the node's doing.
  private(set) var isDamaged = false

  init(_ truth: SessionTruth, isReadOnly: Bool) {
    (self.truth, self.isReadOnly) = (truth, isReadOnly)
  }

  /// Puts all content there.
  mutating func fill() {
    for (file, bytes) in zip(truth.geometry.files, truth.files) {
      files[file] = bytes
      times[file] = clock
    }
  }

  /// Somebody else changes a byte, and the file's time with it.
  mutating func damage(_ number: UInt8, _ place: UInt8) {
    let there = files.keys.sorted()
    guard !there.isEmpty else { return }
    let file = there[Int(number) % there.count]
    let count = files[file]?.count ?? 0
    guard count > 0 else { return }
    clock += 1
    isDamaged = true
    files[file]?[Int(place) * 997 % count] ^= 0x40
    times[file] = clock
  }

  mutating func perform(
    _ action: DiskAction, _ memory: SessionMemory, failing failure: DiskFailure?
  ) -> Result<DiskCompletion.Value, DiskFailure> {
    clock += 1
    var value = DiskCompletion.Value.done
    switch action {
    case .create(let file, let length, _, _):
      demand(!isReadOnly && length == truth.geometry.length(of: file))
      if let failure { return .failure(failure) }
      let more = Int(length) - (files[file]?.count ?? 0)
      if more > 0 || files[file] == nil {
        files[file, default: []] += [UInt8](repeating: 0, count: more)
        times[file] = clock
      }
    case .createSymlink: fatalError("there are no symlinks")
    case .write(let parts, _):
      demand(!isReadOnly)
      if let error = write(parts, memory, isPart: failure != nil) { return .failure(error) }
    case .read(let parts, let reportsEvidence):
      if let failure { return .failure(failure) }
      if let error = read(parts, memory) { return .failure(error) }
      var order: [FileIndex] = []
      for case let file? in parts.map(\.file) where !order.contains(file) { order.append(file) }
      if reportsEvidence { value = .evidence(order.map(evidence)) }
    case .sync(let file, _):
      if files[file] == nil { return .failure(Self.missing) }
    case .examine(let file): value = .evidence([evidence(file)])
    case .loadMap(let name, let capacity):
      value = .map(
        maps[name.text].map { bytes in
          [0, Int(capacity)].map {
            Array(bytes[min($0, bytes.count)..<min($0 + Int(capacity), bytes.count)])
          }
        })
    case .writeMap(let name, let offset, let bytes):
      var map = maps[name.text] ?? []
      let end = Int(offset) + bytes.count
      if map.count < end { map += [UInt8](repeating: 0, count: end - map.count) }
      let count = failure == nil ? bytes.count : bytes.count / 2
      map.replaceSubrange(Int(offset)..<(Int(offset) + count), with: bytes[..<count])
      maps[name.text] = map
    case .syncMap(let name, _):
      if maps[name.text] == nil { return .failure(Self.missing) }
    }
    return failure.map { .failure($0) } ?? .success(value)
  }

  private static let missing = DiskFailure(reason: .other, description: "no such file")

  func evidence(_ file: FileIndex) -> FileEvidence? {
    guard let bytes = files[file], let time = times[file] else { return nil }
    return FileEvidence(
      size: UInt64(bytes.count), modified: time, changed: time, inode: UInt64(file.rawValue) + 1)
  }

  private mutating func write(
    _ parts: [TransferPart], _ memory: SessionMemory, isPart: Bool
  ) -> DiskFailure? {
    for (position, part) in parts.enumerated() {
      guard let file = part.file else { continue }
      guard let size = files[file]?.count else { return Self.missing }
      let start = Int(part.offset)
      demand(start + Int(part.length) <= size, "beyond the end of a file")
      let bytes = memory.room(part.buffer, from: Int(part.bufferOffset), count: Int(part.length))
      if isPart, !position.isMultiple(of: 2) { continue }
      files[file]?.replaceSubrange(start..<(start + bytes.count), with: bytes)
      times[file] = clock
    }
    return nil
  }

  private func read(_ parts: [TransferPart], _ memory: SessionMemory) -> DiskFailure? {
    for part in parts {
      let room = memory.room(part.buffer, from: Int(part.bufferOffset), count: Int(part.length))
      guard let file = part.file else {
        room.initializeMemory(as: UInt8.self, repeating: 0)
        continue
      }
      guard let bytes = files[file] else { return Self.missing }
      let end = Int(part.offset) + Int(part.length)
      if end > bytes.count {
        return DiskFailure(reason: .other, description: "the file ends early")
      }
      bytes.withUnsafeBytes {
        room.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[Int(part.offset)..<end]))
      }
    }
    return nil
  }
}
