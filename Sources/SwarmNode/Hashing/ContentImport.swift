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

  private let content: ContentSource
  private var kept: KeptLeaves
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
  public init(_ scan: Scan, name: [UInt8], options: ImportOptions) throws(ContentImportError) {
    let path = scan.path
    do throws(ImportError) {
      let plan = try ImportPlan(name: name, items: scan.items)
      importer = try Importer(
        plan, items: scan.items, options: options, laneBytes: HashRun.laneBytes)
      totalLength = plan.totalLength
      warnings = plan.warnings
      fileCount = plan.files.count
      kept = KeptLeaves(lengths: plan.files.map(\.length), kind: options.kind)
      content = ContentSource(
        files: zip(plan.files, plan.sources).map { entry, source in
          let full = plan.isSingleFile ? path : path.appending(path: entry.path.bytes)
          return .init(path: full, stamp: scan.stamps[source])
        }, followsLinks: plan.isSingleFile)
    } catch {
      throw .content(error)
    }
  }

  /// Bytes that have been hashed so far.
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
        completion(.success(finished.finish()))
      }
    }
    self.run = run
    run.start()
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
