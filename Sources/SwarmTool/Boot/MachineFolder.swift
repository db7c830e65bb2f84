import Glibc
import Metainfo
import SwarmNode

/// Folders for one machine that nobody but us can look into: its socket, and what QEMU reads at its
/// start. Gone when it is closed.
final class MachineFolder {
  /// Where the node offers the image.
  let socket: [UInt8]
  private let folders: [[UInt8]]
  private var files: [[UInt8]] = []

  /// Longest folder in which a socket can be: a socket's path has 107 bytes. unix(7).
  private static let longestPath = 80

  init() throws(Failure) {
    // What QEMU reads may be large, and the folder for sockets lies in memory.
    let files = try Self.make(in: Self.temporary, prefix: "swarm-boot-")
    if let runtime = Self.runtime {
      do {
        let folder = try Self.make(in: runtime, prefix: "boot-")
        (socket, folders) = (folder + Array("/nbd".utf8), [files, folder])
        return
      } catch {}
    }
    (socket, folders) = (files + Array("/nbd".utf8), [files])
  }

  /// `$XDG_RUNTIME_DIR/swarm`; nil where there is none.
  private static var runtime: [UInt8]? {
    guard let path = usable("XDG_RUNTIME_DIR") else { return nil }
    let folder = path + Array("/swarm".utf8)
    do { try StateFolder.make(folder, mode: 0o700) } catch { return nil }
    return folder
  }

  private static var temporary: [UInt8] { usable("TMPDIR") ?? Array("/tmp".utf8) }

  /// A folder that the environment names, if a socket's path has room for it and QEMU's JSON can say it.
  private static func usable(_ name: StaticString) -> [UInt8]? {
    guard let path = StateFolder.environment(name), path.first == UInt8(ascii: "/"),
      path.count <= longestPath, Array(String(decoding: path, as: UTF8.self).utf8) == path
    else { return nil }
    return path
  }

  private static func make(in parent: [UInt8], prefix: String) throws(Failure) -> [UInt8] {
    var path = parent + Array("/\(prefix)XXXXXX".utf8) + [0]
    let isMade = path.withUnsafeMutableBytes {
      mkdtemp($0.bindMemory(to: CChar.self).baseAddress!) != nil
    }
    guard isMade else {
      throw Failure(
        "cannot make a folder in \(printable(parent)): \(String(cString: strerror(errno)))"
          + (parent == StateFolder.environment("TMPDIR") ? "; TMPDIR names that folder" : ""))
    }
    return path.dropLast()
  }

  /// A new file, for reading and writing. Returns its path and descriptor.
  func file(_ name: String) throws(Failure) -> (path: [UInt8], descriptor: CInt) {
    let path = folders[0] + Array("/\(name)".utf8)
    let descriptor = open(
      Self.text(path), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw Failure("cannot make \(printable(path)): \(String(cString: strerror(errno)))")
    }
    files.append(path)
    return (path, descriptor)
  }

  /// Removes what there is.
  func close() {
    for path in files + [socket] { unlink(Self.text(path)) }
    for path in folders { rmdir(Self.text(path)) }
    files = []
  }

  private static func text(_ path: [UInt8]) -> [CChar] {
    path.map { CChar(bitPattern: $0) } + [0]
  }
}
