import Glibc

/// Files that `WholeFile.write` gave a name for a moment, and that a killed process has left.
enum Leftovers {
  /// What their names begin and end with.
  private static let prefix = ".swarm-"
  private static let suffix = ".tmp"

  /// A name for such a file that no other has, of whichever process or machine.
  static func newName() -> [UInt8] {
    Array((prefix + String(UInt64.random(in: 0 ... .max), radix: 36) + suffix).utf8)
  }

  /// What is younger may be another process's that goes on: a file of ours is written in less.
  private static let age = 3_600

  /// Removes them from a folder. What cannot be removed stays: it is in nobody's way.
  static func remove(from folder: [UInt8]) {
    guard let stream = folder.withCPath({ opendir($0) }) else { return }
    defer { closedir(stream) }
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
      guard name.starts(with: prefix.utf8), name.reversed().starts(with: suffix.utf8.reversed())
      else { continue }
      let path = folder.appending(path: name)
      var status = stat()
      guard path.withCPath({ lstat($0, &status) }) == 0, fileType(status) == S_IFREG,
        now.tv_sec - status.st_mtim.tv_sec > age
      else { continue }
      _ = path.withCPath { unlink($0) }
    }
  }
}
