import Metainfo
import Store

/// Turns a file or folder on disk into a torrent, hashing on all cores.
///
/// Make it, `start` it on a loop, run the loop. Belongs to the loop's thread.
public final class ContentImport {
  /// Bytes in all files.
  public let totalLength: UInt64
  /// What is left out of the torrent, since it cannot hold it.
  public let warnings: [ImportWarning]
  /// How many files and symlinks it will hold.
  public let fileCount: Int
  /// Bytes in files whose hashes are known from an earlier version.
  public let knownLength: UInt64

  private let content: ContentSource
  private var kept: KeptLeaves
  /// Leaves that are known, by file.
  private let knownLeaves: [Int: ArraySlice<SHA256Digest>]
  /// The first file whose leaves are not kept yet.
  private var nextFile = 0
  private var importer: Importer?
  private var run: HashRun?
  private var failure: ContentImportError?

  /// An import of what is at `path`, which a torrent will call `name`. Scans at once, hashes later.
  public convenience init(path: [UInt8], name: [UInt8], options: ImportOptions)
    throws(ContentImportError)
  {
    let scan: Scan
    do { scan = try FolderScanner.scan(path) } catch { throw .system(error) }
    try self.init(scan, name: name, options: options)
  }

  /// An import of what a scan found, which a torrent will call `name`. What has changed since is an
  /// error when it is hashed.
  ///
  /// - Parameter earlier: a version of the same content: files that look as they did when it was hashed
  ///   are not hashed again.
  public init(
    _ scan: Scan, name: [UInt8], options: ImportOptions, earlier: KeptVersion? = nil
  ) throws(ContentImportError) {
    let path = scan.path
    do throws(ImportError) {
      let plan = try ImportPlan(name: name, items: scan.items)
      let unchanged = earlier.map { UnchangedFiles($0, plan: plan, scan: scan) }
      let importer = try Importer(
        plan, items: scan.items, options: options, laneBytes: HashRun.laneBytes
      ) { index, pieceLength in
        unchanged?.known(index, pieceLength: pieceLength, kind: options.kind)
      }
      let known = importer.knownFiles
      knownLength = known.reduce(0) { $0 + plan.files[$1].length }
      knownLeaves = unchanged?.leaves(of: known) ?? [:]
      self.importer = importer
      totalLength = plan.totalLength
      warnings = plan.warnings
      fileCount = plan.files.count
      kept = KeptLeaves(lengths: plan.files.map(\.length), kind: options.kind)
      if knownLeaves.count < known.count { kept.giveUp() }
      content = ContentSource(
        files: zip(plan.files, plan.sources).map { entry, source in
          let full =
            scan.elsewhere[source]
            ?? (plan.isSingleFile ? path : path.appending(path: entry.path.bytes))
          return .init(path: full, stamp: scan.stamps[source])
        }, followsLinks: plan.isSingleFile)
    } catch {
      throw .content(error)
    }
  }

  /// Bytes that have been hashed so far: in the end all but those that are known.
  public var bytesHashed: UInt64 { run?.bytesHashed ?? 0 }

  /// The leaf hashes of all files in order, once all is hashed; empty in v1 torrents, and where they
  /// are too many to be kept.
  public var leaves: [SHA256Digest] { kept.digests }

  /// Hashes, and calls `completion` once with the torrent, to which trackers and the like can be
  /// added. A file that changes meanwhile ends it with an error that names the file.
  public func start(
    on loop: EventLoop,
    completion: @escaping (Result<TorrentDescription, ContentImportError>) -> Void
  ) {
    guard let schedule = importer?.schedule else {
      preconditionFailure("an import can be started once")
    }
    let run = HashRun(
      on: loop, schedule: schedule, content: content, keepsLeaves: kept.areWanted
    ) { [self] segment, result in
      if let part = segment.tree { keepKnownLeaves(before: part.file) }
      kept.add(result)
      switch result {
      case .success(let hashes):
        importer?.add(hashes, of: segment)
      case .failure(let error):
        failure = .file(content.files[error.file].path, error.reason)
      }
      return failure == nil
    } onEnd: { [self] in
      guard let finished = importer.take() else { return }
      if let failure {
        completion(.failure(failure))
      } else {
        keepKnownLeaves(before: fileCount)
        completion(.success(finished.finish()))
      }
    }
    self.run = run
    run.start()
  }

  private func keepKnownLeaves(before file: Int) {
    while nextFile < file {
      if let leaves = knownLeaves[nextFile] { kept.add(leaves) }
      nextFile += 1
    }
  }
}

/// Why a file or folder did not become a torrent.
public enum ContentImportError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The scan failed.
  case system(SystemError)
  /// A torrent cannot hold the content.
  case content(ImportError)
  /// Hashing the file at a path failed.
  case file([UInt8], HashFailure.Reason)

  /// What is wrong, where, and what to do.
  public var description: String {
    switch self {
    case .system(let error): error.description
    case .content(let error): error.description
    case .file(let path, .changed):
      "\(printable(path)) changed while it was hashed; try again when nothing writes to it"
    case .file(_, .unreadable(let reason)): reason
    }
  }
}
