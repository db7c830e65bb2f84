import Metainfo
import Store
import TestSupport
import Testing

/// Memory and disk of a test: files, block maps and buffers, byte for byte.
struct ContentDisk {
  var files: [FileIndex: [UInt8]] = [:]
  var maps: [String: [UInt8]] = [:]
  var stamps: [FileIndex: Int64] = [:]
  /// Files that cannot be read, though they look as they should.
  var broken: Set<FileIndex> = []
  /// Reads that were asked for.
  var reads = 0
  /// What buffers hold; one that was given back holds nothing.
  var buffers: [UInt64: [UInt8]] = [:]

  /// Carries out an operation; of a write that fails a part.
  mutating func perform(
    _ action: DiskAction, failing: DiskFailure?
  ) -> Result<DiskCompletion.Value, DiskFailure> {
    var value = DiskCompletion.Value.done
    switch action {
    case .create(let file, let length, _, _):
      if failing == nil, files[file] == nil {
        files[file] = [UInt8](repeating: 0, count: Int(length))
      }
    case .write(let parts, _):
      for part in parts {
        guard let file = part.file, let bytes = buffers[part.buffer.rawValue] else {
          #expect(part.file == nil, "a write from a buffer that was given back")
          continue
        }
        let length = failing == nil ? Int(part.length) : Int(part.length) / 2
        let from = Int(part.bufferOffset)
        files[file]?.replaceSubrange(
          Int(part.offset)..<Int(part.offset) + length, with: bytes[from..<from + length])
      }
    case .read(let parts, let reportsEvidence):
      reads += 1
      var order: [FileIndex] = []
      if parts.contains(where: { $0.file.map(broken.contains) ?? false }) {
        return .failure(DiskFailure(reason: .other, description: "broken"))
      }
      for part in parts {
        var bytes = [UInt8](repeating: 0, count: Int(part.length))
        if let file = part.file {
          guard let content = files[file] else {
            return .failure(DiskFailure(reason: .other, description: "no such file"))
          }
          guard content.count >= Int(part.offset) + bytes.count else {
            return .failure(DiskFailure(reason: .other, description: "too short"))
          }
          bytes = Array(content[Int(part.offset)..<Int(part.offset) + bytes.count])
          if !order.contains(file) { order.append(file) }
        }
        let from = Int(part.bufferOffset)
        var buffer = buffers[part.buffer.rawValue] ?? []
        if buffer.count < from + bytes.count {
          buffer += [UInt8](repeating: 0xEE, count: from + bytes.count - buffer.count)
        }
        buffer.replaceSubrange(from..<from + bytes.count, with: bytes)
        buffers[part.buffer.rawValue] = buffer
      }
      if reportsEvidence { value = .evidence(order.map(evidence)) }
    case .examine(let file): value = .evidence([evidence(file)])
    case .loadMap(let name, let capacity):
      value = .map(
        maps[name.text].map { bytes in
          let half = min(bytes.count, Int(capacity))
          return [Array(bytes[..<half]), Array(bytes[half...])]
        })
    case .writeMap(let name, let offset, let bytes):
      guard failing == nil else { break }
      var map = maps[name.text] ?? []
      let end = Int(offset) + bytes.count
      if map.count < end { map += [UInt8](repeating: 0, count: end - map.count) }
      map.replaceSubrange(Int(offset)..<end, with: bytes)
      maps[name.text] = map
    case .createSymlink, .sync, .syncMap: break
    }
    return failing.map { .failure($0) } ?? .success(value)
  }

  private func evidence(_ file: FileIndex) -> FileEvidence? {
    files[file].map { content in
      let stamp = stamps[file] ?? 0
      return FileEvidence(
        size: UInt64(content.count), modified: stamp, changed: stamp, inode: 1)
    }
  }
}
