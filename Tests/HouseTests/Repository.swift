import Foundation

/// A file of the repository: its path below the root, and its text.
struct SourceFile: Sendable {
  let path: String
  let text: String
  /// What of it is code, for rules about Sources.
  let code: SwiftCode

  init(path: String, text: String) {
    self.path = path
    self.text = text
    code = SwiftCode(path.hasPrefix("Sources/") && path.hasSuffix(".swift") ? text : "")
  }

  var lines: [Substring] {
    // Not by Character: a carriage return and a line feed are one.
    text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
      .map(Substring.init)
  }

  var name: String { path.split(separator: "/").last.map(String.init) ?? path }
  var folder: String { path.split(separator: "/").dropLast().joined(separator: "/") }
  var isSwift: Bool { path.hasSuffix(".swift") }
  var isScript: Bool { path.hasSuffix(".sh") || path.hasSuffix(".py") || text.hasPrefix("#!") }

  /// The target that a source file belongs to by its folder: "Store" for Sources/Store/A/B.swift.
  var sourceTarget: String? {
    let parts = path.split(separator: "/")
    return parts.count > 2 && parts[0] == "Sources" ? String(parts[1]) : nil
  }
}

/// What a rule found.
struct Finding: Equatable, CustomStringConvertible {
  let path: String
  var line = 0
  let message: String

  var description: String { line == 0 ? "\(path): \(message)" : "\(path):\(line): \(message)" }
}

/// The files of this package that the rules look at.
enum Repository {
  static let root = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// Paths of all files that git tracks; where there is no git, of all that is not built.
  static let paths: [String] = {
    let tracked = trackedPaths()
    return (tracked.isEmpty ? walkedPaths() : tracked).sorted()
  }()

  /// All files that hold text. Inputs of fuzzers and vectors are data: they are left out.
  static let files: [SourceFile] = paths.compactMap { path in
    let parts = path.split(separator: "/").map { $0.lowercased() }
    if parts.dropLast().contains(where: { ["corpus", "corpora", "vectors"].contains($0) }) {
      return nil
    }
    guard let data = try? Data(contentsOf: root.appending(path: path)), !data.contains(0),
      let text = String(data: data, encoding: .utf8)
    else { return nil }
    return SourceFile(path: path, text: text)
  }

  private static func trackedPaths() -> [String] {
    let git = Process()
    git.executableURL = URL(filePath: "/usr/bin/env")
    git.arguments = ["git", "-C", root.path, "ls-files", "-z"]
    let output = Pipe()
    git.standardOutput = output
    git.standardError = FileHandle.nullDevice
    guard (try? git.run()) != nil, let data = try? output.fileHandleForReading.readToEnd() else {
      return []
    }
    git.waitUntilExit()
    let names = data.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    return names.filter { FileManager.default.fileExists(atPath: root.appending(path: $0).path) }
  }

  private static func walkedPaths() -> [String] {
    let ignored = [".git/", ".build", ".swiftpm/", ".fuzz/", ".deps/"]
    let all = FileManager.default.enumerator(atPath: root.path)?.compactMap { $0 as? String } ?? []
    return all.filter { path in
      var isFolder: ObjCBool = false
      let exists = FileManager.default.fileExists(
        atPath: root.appending(path: path).path, isDirectory: &isFolder)
      return exists && !isFolder.boolValue && path != "Package.resolved"
        && !ignored.contains(where: path.hasPrefix) && !path.contains("__pycache__/")
    }
  }
}
