import Glibc
import Metainfo
import Store

/// Files of a dataset's versions that the program adds to what is in the user's folder, which is never
/// written to: boot traces. They lie in `datasets/<key>/shipped/`, each called by the SHA-256 of its
/// bytes, and stay with the versions that follow.
extension KeyedDataset {
  /// Where the file with these bytes lies, or would.
  public func shippedPath(_ digest: SHA256Digest) -> [UInt8] {
    shippedFolder.appending(path: Array(digest.hex.utf8))
  }

  private var shippedFolder: [UInt8] { path.appending(path: Array("shipped".utf8)) }

  /// Keeps a file that a version is to have.
  func ship(_ bytes: [UInt8], as path: [UInt8]) throws(SystemError) -> ContentRecord.Shipped {
    let digest = SHA256Digest(hashing: bytes)
    let file = shippedPath(digest)
    // What is there is left alone: a version that is shared knows how it looked.
    if (try? WholeFile.read(file, limit: bytes.count)) != bytes {
      try StateFolder.make(shippedFolder)
      try WholeFile.write(bytes, to: file)
    }
    return ContentRecord.Shipped(path: path, digest: digest)
  }

  /// Where the files are that the record names: by their path in the torrent.
  public func places(of shipped: [ContentRecord.Shipped]) -> [[UInt8]: [UInt8]] {
    Dictionary(shipped.map { ($0.path, shippedPath($0.digest)) }) { first, _ in first }
  }

  /// How these files look now; what is not there, or is something else by now, is left out.
  public func items(of shipped: [ContentRecord.Shipped]) -> [ContentRecord.Item] {
    shipped.compactMap { file in
      var status = stat()
      let path = shippedPath(file.digest)
      guard path.withCPath({ lstat($0, &status) }) == 0, fileType(status) == S_IFREG,
        let bytes = try? WholeFile.read(path, limit: TraceLimits.bytes),
        SHA256Digest(hashing: bytes) == file.digest
      else { return nil }
      return ContentRecord.Item(
        path: file.path, kind: "file", text: [],
        evidence: ContentRecord.evidence(FileStamp(status)))
    }
  }
}

/// What becomes of the boot traces of a dataset when it is published.
public struct TraceChanges: Sendable {
  /// Traces that the version is to have, each with the path of its file in the dataset.
  public var new: [(file: ContentPath, trace: BootTrace)] = []
  /// Whether those that the version before has are left out.
  public var dropsOthers = false

  /// Those of the version before stay.
  public init() {}

  /// The files that a version of `items` is to have besides them. A trace of the version before is
  /// left out where its file is gone, and where something of the user's is in its place.
  func files(
    besides items: [ContentRecord.Item], before: [ContentRecord.Shipped], of dataset: KeyedDataset
  ) throws(PublicationError) -> [ContentRecord.Shipped] {
    if new.isEmpty, before.isEmpty { return [] }
    let files = items.filter { $0.kind != "folder" }.map(\.path)
    let there = Set(files)
    // Each of the user's that is on the way or at the place, and each that a place is a folder for.
    func obstacle(_ path: [UInt8]) -> [UInt8]? {
      let slash = UInt8(ascii: "/")
      var ends = path.indices.filter { path[$0] == slash }
      ends.append(path.count)
      if let found = ends.lazy.map({ Array(path[..<$0]) }).first(where: there.contains) {
        return found
      }
      return files.first { $0.starts(with: path + [slash]) }
    }
    var shipped: [ContentRecord.Shipped] = []
    var taken: Set<[UInt8]> = []
    for (file, trace) in new {
      if there == [[]] { throw .traceOfAFile }
      guard there.contains(file.bytes) else { throw .traceOfNothing(file.bytes) }
      guard let path = TracePlace.path(ofTraceFor: file) else { throw .traceOfNothing(file.bytes) }
      if let found = obstacle(path.bytes) { throw .traceInTheWay(path.bytes, found) }
      guard taken.insert(path.bytes).inserted else { throw .traceTwice(file.bytes) }
      shipped.append(
        try PublicationError.wrap { () throws(SystemError) in
          try dataset.ship(trace.encoded, as: path.bytes)
        })
    }
    for old in before where !dropsOthers && !taken.contains(old.path) {
      guard let path = try? ContentPath(joinedNames: old.path),
        let file = TracePlace.path(ofFileFor: path), there.contains(file.bytes),
        obstacle(old.path) == nil, access(dataset.shippedPath(old.digest))
      else { continue }
      shipped.append(old)
    }
    return shipped.sorted { $0.path.lexicographicallyPrecedes($1.path) }
  }

  private func access(_ path: [UInt8]) -> Bool { path.withCPath { Glibc.access($0, R_OK) } == 0 }
}

extension ContentPath {
  /// A path from its joined names, which are checked.
  public init(joinedNames bytes: [UInt8]) throws(ContentPathError) {
    var elements: [PathElement] = []
    for name in bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
      elements.append(try PathElement(name))
    }
    try self.init(elements)
  }
}
