import Glibc
import SwarmNode

/// A folder that is there as long as this value is.
final class ScratchFolder {
  let path: [UInt8]

  init() {
    var template = Array("/tmp/swarm-tool-test-XXXXXX".utf8CString)
    let made = mkdtemp(&template)
    precondition(made != nil, "cannot make a temporary folder")
    path = template.dropLast().map { UInt8(bitPattern: $0) }
  }

  deinit {
    let items = (try? FolderScanner.scan(path).items) ?? []
    for item in items.sorted(by: { $0.names.count > $1.names.count }) {
      _ = Glibc.remove(Self.text(item.names.reduce(path) { $0 + [0x2F] + $1 }))
    }
    _ = rmdir(Self.text(path))
  }

  /// The path of a name in it.
  func callAsFunction(_ name: String) -> [UInt8] { path + [0x2F] + Array(name.utf8) }

  /// What a symlink in it holds; nil where there is none.
  func link(_ name: String) -> String? {
    var text = [CChar](repeating: 0, count: 4_096)
    let count = readlink(Self.text(self(name)), &text, text.count - 1)
    return count < 0
      ? nil : String(decoding: text[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  private static func text(_ path: [UInt8]) -> [CChar] { path.map { CChar(bitPattern: $0) } + [0] }
}
