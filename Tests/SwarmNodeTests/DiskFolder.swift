import Glibc
import Metainfo
import Store

@testable import SwarmNode

/// A folder that is gone when the test is over.
final class DiskFolder: Sendable {
  private let temporary = TemporaryFolder()

  var path: String { String(decoding: temporary.path, as: UTF8.self) }

  func folder(_ name: String) -> String {
    mkdir(path + "/" + name, 0o755)
    return path + "/" + name
  }

  func confined(_ name: String) throws -> ConfinedFolder {
    try ConfinedFolder(Array(folder(name).utf8))
  }

  /// All names below a folder, in order.
  func listing(_ name: String) -> [String] {
    guard let directory = opendir(path + "/" + name) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let found = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if found == "." || found == ".." { continue }
      names.append(found)
      if entry.pointee.d_type == UInt8(DT_DIR) {
        names += listing(name + "/" + found).map { found + "/" + $0 }
      }
    }
    return names.sorted()
  }

  func read(_ name: String) -> [UInt8]? {
    let file = open(path + "/" + name, O_RDONLY)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var status = stat()
    fstat(file, &status)
    return [UInt8](unsafeUninitializedCapacity: Int(status.st_size)) { buffer, count in
      count = max(0, Glibc.read(file, buffer.baseAddress, buffer.count))
    }
  }

  func write(_ name: String, _ bytes: [UInt8]) {
    let file = open(path + "/" + name, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
    precondition(file >= 0 && Glibc.write(file, bytes, bytes.count) == bytes.count)
    close(file)
  }

  func mode(_ name: String) -> mode_t {
    var status = stat()
    lstat(path + "/" + name, &status)
    return status.st_mode
  }

  static func path(_ text: String) -> ContentPath {
    do {
      return try ContentPath(
        text.utf8.split(separator: UInt8(ascii: "/")).map { try PathElement($0) })
    } catch {
      preconditionFailure("\(error)")
    }
  }
}

/// Buffers of 16 KiB in one piece of memory.
final class DiskTestBuffers: DiskBuffers, @unchecked Sendable {
  private let all: UnsafeMutableRawBufferPointer

  init(count: Int) {
    all = .allocate(byteCount: count * blockLength, alignment: 64)
    all.initializeMemory(as: UInt8.self, repeating: 0xEE)
  }

  deinit { all.deallocate() }

  func memory(of buffer: BufferHandle) -> UnsafeMutableRawBufferPointer {
    let start = Int(buffer.rawValue) * blockLength
    return UnsafeMutableRawBufferPointer(rebasing: all[start..<(start + blockLength)])
  }
}
