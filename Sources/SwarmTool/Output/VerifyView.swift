import Metainfo
import Store
import SwarmNode

/// A verification as `swarm verify` shows it.
struct VerifyView {
  private let report: VerifyReport
  private let info: InfoDictionary
  private let path: [UInt8]
  /// Paths of files that are there and that the torrent does not have.
  private let extra: [[UInt8]]

  /// How many of them are named.
  private static let namedExtra = 3
  /// How many programs are told.
  private static let listedExtra = 1_000

  init(_ report: VerifyReport, info: InfoDictionary, path: [UInt8], extra: [[UInt8]] = []) {
    self.report = report
    self.info = info
    self.path = path
    self.extra = extra
  }

  /// Files and symlinks in the content's folder that the torrent does not have, ascending; none where the content is
  /// a file, or the folder cannot be looked into.
  static func extra(_ info: InfoDictionary, at path: [UInt8]) -> [[UInt8]] {
    if info.isSingleFile { return [] }
    guard let scan = try? FolderScanner.scan(path) else { return [] }
    let known = Set(info.files.map(\.path.bytes))
    return ContentRecord.items(of: scan).filter { $0.kind != "folder" && !known.contains($0.path) }
      .map(\.path)
  }

  /// What is there besides; nil for nothing. It does not make the content wrong.
  var extraText: String? {
    guard let first = extra.first else { return nil }
    if extra.count == 1 {
      return "1 file is here that the torrent does not have: \(printable(first))"
    }
    return "\(extra.count) files are here that the torrent does not have: "
      + extra.prefix(Self.namedExtra).map { printable($0) }.joined(separator: ", ")
      + (extra.count > Self.namedExtra ? ", …" : "")
  }

  /// A line for each fault, and one that sums up.
  var text: String { lines.joined(separator: "\n") }

  /// The same, of the faults only the first ones.
  func firstLines(_ count: Int) -> [String] {
    let lines = lines
    let more = lines.count - 1 - count
    return more <= 0
      ? lines : lines.prefix(count) + ["and \(Quantity.count(more, "more line"))"] + lines.suffix(1)
  }

  private var lines: [String] {
    var lines: [String] = []
    for file in report.files {
      lines += file.problems.map { "\(file.entry.path): \($0.text(for: file.entry))" }
      // One that is not there differs in all that it should have.
      if file.problems.contains(where: \.isOfAll) { continue }
      lines += file.differingRanges.map { range in
        "\(file.entry.path): differs in bytes \(range.lowerBound) to \(range.upperBound - 1)"
      }
    }
    return lines + [sum]
  }

  private var sum: String {
    let unread = report.unreadableFiles.count
    let wrong = report.wrongFiles.count - unread
    let total = Quantity.count(report.files.count, "file")
    if wrong + unread == 0 {
      return "all right: \(total), \(Quantity.exactBytes(info.contentLength))"
    }
    if wrong == 0 { return "not compared: \(unread) of \(total) could not be read" }
    let what =
      differingByteCount > 0
      ? ", \(Quantity.exactBytes(differingByteCount)) differ"
      : wrong == 1 ? " is not as it should be" : " are not as they should be"
    return "wrong: \(wrong) of \(total)\(what)"
      + (unread > 0 ? "; \(unread) could not be read" : "")
  }

  /// The documented object (docs/json.md).
  var json: JSON {
    .object([
      ("name", .text(info.name.description)),
      ("path", .text(printable(path))),
      ("right", .bool(report.isRight)),
      ("length", .number(info.contentLength)),
      ("file_count", .number(UInt64(report.files.count))),
      ("wrong_file_count", .number(UInt64(report.wrongFiles.count))),
      ("unreadable_file_count", .number(UInt64(report.unreadableFiles.count))),
      ("differing_bytes", .number(differingByteCount)),
      ("extra_file_count", .number(UInt64(extra.count))),
      ("extra_files", .list(extra.prefix(Self.listedExtra).map { .text(printable($0)) })),
      (
        "files",
        .list(
          report.files.filter { !$0.isRight || !$0.problems.isEmpty }.map { file in
            .object([
              ("path", .text(file.entry.path.description)),
              ("right", .bool(file.isRight)),
              ("problems", .list(file.problems.map { .text($0.text(for: file.entry)) })),
              (
                "differing_ranges",
                .list(
                  file.differingRanges.map {
                    .object([
                      ("offset", .number($0.lowerBound)), ("length", .number(UInt64($0.count))),
                    ])
                  })
              ),
            ])
          })
      ),
    ])
  }

  private var differingByteCount: UInt64 {
    report.files.reduce(0) { $0 + $1.differingByteCount }
  }
}

extension FileVerdict.Problem {
  /// Whether it says all that there is to say of the file's bytes.
  fileprivate var isOfAll: Bool {
    switch self {
    case .missing, .kind: true
    default: false
    }
  }

  /// What is wrong with the file, as the end of a sentence.
  func text(for entry: FileEntry) -> String {
    switch self {
    case .missing: "is missing"
    case .length(let actual): "has \(actual) bytes, \(entry.length) expected"
    case .kind(let actual):
      "is a \(actual), a \(entry.symlinkTarget == nil ? "file" : "symlink") expected"
    case .symlinkTarget:
      "leads elsewhere than to \(entry.symlinkTarget.map(\.description) ?? "its target")"
    case .changedWhileRead: "changed while it was read"
    case .unreadable(let reason): reason
    case .permission(true): "warning: is not executable"
    case .permission(false): "warning: is executable"
    }
  }
}
