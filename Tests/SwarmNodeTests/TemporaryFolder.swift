import Glibc

@testable import SwarmNode

/// A folder that is there as long as this value is.
final class TemporaryFolder: Sendable {
  let path: [UInt8]

  init() {
    let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    var template = Array("\(parent)/swarm-test-XXXXXX".utf8CString)
    let made = mkdtemp(&template)
    precondition(made != nil, "cannot make a temporary folder")
    path = template.dropLast().map { UInt8(bitPattern: $0) }
  }

  deinit { Self.remove(path) }

  /// The path of `name` in the folder.
  func callAsFunction(_ name: String) -> [UInt8] { path.appending(path: Array(name.utf8)) }

  /// Writes a file, and the folders above it.
  func write(_ bytes: [UInt8], to name: [UInt8]) {
    let parts = name.split(separator: UInt8(ascii: "/"))
    var folder = path
    for part in parts.dropLast() {
      folder = folder.appending(path: Array(part))
      _ = folder.withCPath { mkdir($0, 0o755) }
    }
    let descriptor = path.appending(path: name).withCPath {
      open($0, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
    }
    precondition(descriptor >= 0)
    var done = 0
    while done < bytes.count {
      done += bytes.withUnsafeBytes {
        Glibc.write(descriptor, $0.baseAddress! + done, $0.count - done)
      }
    }
    close(descriptor)
  }

  func write(_ bytes: [UInt8], to name: String) { write(bytes, to: Array(name.utf8)) }

  private static func remove(_ path: [UInt8]) {
    let items = (try? FolderScanner.scan(path).items) ?? []
    for item in items.sorted(by: { $0.names.count > $1.names.count }) {
      let below = item.names.reduce(path) { $0.appending(path: $1) }
      _ = below.withCPath { Glibc.remove($0) }
    }
    _ = path.withCPath { rmdir($0) }
  }
}
