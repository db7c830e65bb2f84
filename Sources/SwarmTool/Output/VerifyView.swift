import Metainfo
import Store

/// A verification as `swarm verify` shows it.
struct VerifyView {
  private let report: VerifyReport
  private let info: InfoDictionary
  private let path: [UInt8]

  init(_ report: VerifyReport, info: InfoDictionary, path: [UInt8]) {
    self.report = report
    self.info = info
    self.path = path
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
      lines += file.differingRanges.map { range in
        "\(file.entry.path): differs in bytes \(range.lowerBound) to \(range.upperBound - 1)"
      }
    }
    let wrong = report.wrongFiles.count
    let total = Quantity.count(report.files.count, "file")
    lines.append(
      wrong == 0
        ? "all right: \(total), \(Quantity.exactBytes(info.contentLength))"
        : "wrong: \(wrong) of \(total), \(Quantity.exactBytes(differingByteCount)) differ")
    return lines
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
      ("differing_bytes", .number(differingByteCount)),
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
