import Glibc
import Metainfo
import SwarmNode

/// Which boot traces go with a version, as `swarm publish --trace` is told.
enum TraceArgument: Hashable {
  /// Those that were recorded here.
  case recorded
  /// A trace in a file, and of which file of the dataset it is where that is said.
  case file([UInt8], of: [UInt8]?)

  /// Reads `recorded`, `FILE` or `FILE=PATH`. A file that is there as a whole is meant as a whole.
  init(_ argument: [UInt8]) {
    if argument == Array("recorded".utf8) {
      self = .recorded
      return
    }
    guard !Self.isThere(argument), let sign = argument.lastIndex(of: UInt8(ascii: "=")), sign > 0
    else {
      self = .file(argument, of: nil)
      return
    }
    self = .file(Array(argument[..<sign]), of: Array(argument[(sign + 1)...]))
  }

  /// The traces, each with the path of its file.
  func traces(
    for source: PublishedSource, in state: StateFolder
  ) throws(Failure) -> [(file: ContentPath, trace: BootTrace)] {
    switch self {
    case .recorded: return try Self.recorded(for: source, in: state)
    case .file(let path, let file):
      let trace = try Self.read(path)
      if let file {
        let named = try Failure.wrap("\(printable(file)): ") {
          try ContentPath(joinedNames: file)
        }
        return [(named, trace)]
      }
      return [(try Self.file(of: trace, in: source, named: path), trace)]
    }
  }

  /// A trace from a file.
  static func read(_ path: [UInt8]) throws(Failure) -> BootTrace {
    let bytes = try Failure.wrap { try WholeFile.read(path, limit: TraceLimits.bytes) }
    return try Failure.wrap("\(printable(path)): ") { try BootTrace(encoded: bytes) }
  }

  /// The only file of the size that the trace says.
  private static func file(
    of trace: BootTrace, in source: PublishedSource, named path: [UInt8]
  ) throws(Failure) -> ContentPath {
    let scan = try Failure.wrap { try FolderScanner.scan(source.path) }
    let found = ContentRecord.items(of: scan).filter { $0.evidence?.size == trace.fileSize }
    guard found.count == 1, !found[0].path.isEmpty,
      let file = try? ContentPath(joinedNames: found[0].path)
    else {
      if found.first?.path.isEmpty == true { throw Failure("\(PublicationError.traceOfAFile)") }
      throw Failure(
        "\(printable(path)) is of a file of \(trace.fileSize) bytes, and "
          + (found.isEmpty ? "none" : "more than one") + " in \(printable(source.path)) has that "
          + "many: say which it is of, --trace \(printable(path))=PATH")
    }
    return file
  }

  private static func isThere(_ path: [UInt8]) -> Bool {
    access(path.map { CChar(bitPattern: $0) } + [0], F_OK) == 0
  }

  /// What the boots of the dataset's versions have read, the newest version first.
  private static func recorded(
    for source: PublishedSource, in state: StateFolder
  ) throws(Failure) -> [(file: ContentPath, trace: BootTrace)] {
    var found: [(file: ContentPath, trace: BootTrace)] = []
    for entry in try KnownDataset(source.key, state: state).history(limit: 1_000) {
      guard let info = entry.kept?.torrent.info else { continue }
      let recorded = state.recordedTraces(DatasetName(info))
      for place in recorded.files() where place < info.files.count {
        let path = info.files[place].path
        let isThere = Self.isThere(source.path.appending(name: path.bytes))
        guard isThere, !found.contains(where: { $0.file == path }),
          let trace = recorded.trace(of: place)
        else { continue }
        found.append((path, trace))
      }
    }
    guard !found.isEmpty else {
      throw Failure(
        "no boot of a version of \(source.key) was recorded here: read its image by swarm join "
          + "\(source.key) --nbd SOCKET with the same --state, or name a file that swarm trace wrote"
      )
    }
    return found
  }
}

extension InfoDictionary {
  /// The files for which the torrent has boot traces, in its order.
  var tracedFiles: [ContentPath] {
    files.indices.filter { TracePlace.trace(forFileAt: $0, in: self) != nil }.map { files[$0].path }
  }
}
