import Glibc
import Metainfo

/// The boot traces of one version that were recorded here, each under the number of its file:
///
///     datasets/<infohash>/traces/<n>.trace   the last boot that came to its end
///     datasets/<infohash>/traces/<n>.part    one that goes on, or whose node was stopped
///
/// Files are replaced whole. What cannot be read counts as not there.
public struct RecordedTraces: Sendable {
  /// The folder.
  public let path: [UInt8]

  /// A boot takes the place of the one before if it read at least this share of its bytes, one in so
  /// many: who just looks at a disk does not push out a boot.
  static let replacingShare: UInt64 = 4

  init(path: [UInt8]) { self.path = path }

  /// The files of which there is a trace, by their place in the torrent, ascending.
  public func files() -> [Int] {
    let scan = try? FolderScanner.scan(path)
    let numbers = (scan?.items ?? []).compactMap { item -> Int? in
      guard item.names.count == 1 else { return nil }
      let parts = item.names[0].split(separator: UInt8(ascii: "."))
      guard parts.count == 2 else { return nil }
      return Int(String(decoding: parts[0], as: UTF8.self))
    }
    return Set(numbers).sorted().filter { trace(of: $0) != nil }
  }

  /// The trace of a file: of its newest boot that read something; nil where there is none.
  public func trace(of file: Int) -> BootTrace? {
    let whole = read(self.file(file, .whole))
    let part = read(self.file(file, .part))
    guard let part, Self.replaces(part, whole) else { return whole }
    return part
  }

  /// What a recording has so far.
  func keep(part trace: BootTrace, of file: Int) throws(SystemError) {
    try StateFolder.make(path)
    try WholeFile.write(trace.encoded, to: self.file(file, .part))
  }

  /// The boot has come to its end: its recording takes the place of the one before, or is dropped.
  func finish(_ file: Int) throws(SystemError) {
    let (part, whole) = (self.file(file, .part), self.file(file, .whole))
    guard let trace = read(part) else { return }
    if Self.replaces(trace, read(whole)) {
      let status = part.withCPath { part in whole.withCPath { rename(part, $0) } }
      if status != 0 { throw SystemError("replace", whole) }
    } else {
      _ = part.withCPath { unlink($0) }
    }
  }

  /// A recording that did not come to its end, and how many seconds ago that was kept.
  func part(of file: Int) -> (trace: BootTrace, age: Int)? {
    let path = self.file(file, .part)
    var status = stat()
    guard path.withCPath({ stat($0, &status) }) == 0, let trace = read(path) else { return nil }
    return (trace, time(nil) - status.st_mtim.tv_sec)
  }

  private enum Kind: String { case whole = "trace", part = "part" }

  private func file(_ number: Int, _ kind: Kind) -> [UInt8] {
    path.appending(path: Array("\(number).\(kind.rawValue)".utf8))
  }

  private func read(_ path: [UInt8]) -> BootTrace? {
    (try? WholeFile.read(path, limit: TraceLimits.bytes)).flatMap {
      try? BootTrace(encoded: $0)
    }
  }

  private static func replaces(_ new: BootTrace, _ old: BootTrace?) -> Bool {
    guard let old else { return !new.reads.isEmpty }
    return !new.reads.isEmpty && new.byteCount >= old.byteCount / replacingShare
  }
}

extension StateFolder {
  /// The boot traces that were recorded of a version.
  public func recordedTraces(_ name: DatasetName) -> RecordedTraces {
    RecordedTraces(path: path.appending(path: Array("datasets/\(name.folder)/traces".utf8)))
  }
}
