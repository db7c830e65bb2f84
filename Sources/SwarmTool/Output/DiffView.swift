import Metainfo

/// What differs between two versions, for people and in JSON.
struct DiffView {
  private let diff: VersionDiff

  init(_ diff: VersionDiff) { self.diff = diff }

  /// "5.5 MiB in 2 files; 1 added, 1 changed".
  var summary: String {
    if diff.files.isEmpty { return "nothing" }
    let files = diff.files.count { $0.differingBytes > 0 }
    let counts = Word.allCases.compactMap { word -> String? in
      let count = diff.files.count { Word($0.change) == word }
      return count == 0 ? nil : "\(count) \(word.rawValue)"
    }
    let bytes =
      files == 0
      ? "no bytes"
      : "\(upTo)\(Quantity.bytes(diff.differingBytes)) in \(Quantity.count(files, "file"))"
    return bytes + "; " + counts.joined(separator: ", ")
  }

  /// Where not all hashes are known that would tell.
  private var upTo: String { diff.isEstimate ? "up to " : "" }

  /// One line a file: what became of it, bytes that differ, path.
  var lines: [String] {
    diff.files.map { file in
      let word = Word(file.change).rawValue
      let bytes = Word(file.change) == .removed ? "" : Quantity.bytes(file.differingBytes)
      var line = word + String(repeating: " ", count: 9 - word.count)
      line += String(repeating: " ", count: max(0, 11 - bytes.count)) + bytes + "  \(file.path)"
      if let source = file.change.source { line += " (from \(source))" }
      return line
    }
  }

  /// Members of the documented object (docs/json.md).
  var json: [(String, JSON)] {
    [
      ("differing_bytes", .number(diff.differingBytes)), ("exact", .bool(!diff.isEstimate)),
      (
        "files",
        .list(
          diff.files.map { file in
            .object([
              ("path", .text(file.path.description)),
              ("change", .text(Word(file.change).rawValue)),
              ("from", .text(orNull: file.change.source?.description)),
              ("old_length", .number(file.oldLength)), ("length", .number(file.newLength)),
              ("differing_bytes", .number(file.differingBytes)),
            ])
          })
      ),
    ]
  }

  /// What became of a file.
  private enum Word: String, CaseIterable {
    case added, removed, changed, moved, copied

    init(_ change: VersionDiff.Change) {
      self =
        switch change {
        case .added: .added
        case .removed: .removed
        case .changed: .changed
        case .moved: .moved
        case .copied: .copied
        }
    }
  }
}

extension VersionDiff.Change {
  /// Where the content was before; nil where that is no other place.
  fileprivate var source: ContentPath? {
    switch self {
    case .moved(let path), .copied(let path): path
    case .added, .removed, .changed: nil
    }
  }
}
