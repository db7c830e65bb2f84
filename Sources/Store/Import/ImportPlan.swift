import Metainfo

/// What a torrent of some scanned content will hold: the same for the same content, whatever order
/// it was scanned in.
public struct ImportPlan: Sendable {
  /// The torrent's name.
  public let name: PathElement
  /// Whether the content is one file rather than a folder.
  public let isSingleFile: Bool
  /// Files and symlinks in the order of the torrent.
  public let files: [FileEntry]
  /// For each of `files`, its place among the scanned items.
  public let sources: [Int]
  /// What is left out.
  public let warnings: [ImportWarning]

  /// Bytes in all files.
  public var totalLength: UInt64 { files.reduce(0) { $0 + $1.length } }

  /// A plan for `items`, which hold either one file with no names, or things inside a folder.
  public init(name: [UInt8], items: [ScannedItem]) throws(ImportError) {
    do { self.name = try PathElement(name) } catch { throw .name(name, error) }
    isSingleFile = items.count == 1 && items[0].names.isEmpty
    var collector = Collector(name: self.name)
    for (index, item) in items.enumerated() { try collector.add(item, from: index) }
    collector.warnAboutEmptyFolders()
    let order = collector.found.sorted { $0.entry.path < $1.entry.path }
    files = order.map(\.entry)
    sources = order.map(\.source)
    warnings = collector.warnings.sorted { $0.description < $1.description }
    guard files.contains(where: { $0.length > 0 }) else { throw .noContent }
  }
}

/// Sorts scanned items into what a torrent can hold and what it cannot.
private struct Collector {
  var found: [(entry: FileEntry, source: Int)] = []
  var warnings: [ImportWarning] = []
  private let name: PathElement
  private var folders: [[[UInt8]]] = []
  /// Folders that something lies in, empty ones included.
  private var inhabited: Set<[[UInt8]]> = []

  init(name: PathElement) { self.name = name }

  mutating func add(_ item: ScannedItem, from source: Int) throws(ImportError) {
    switch item.kind {
    case .file(let length, let isExecutable, _):
      let entry = FileEntry(
        path: try path(of: item), length: length, attributes: isExecutable ? .executable : [])
      found.append((entry, source))
    case .symlink(let target):
      guard let resolved = SymlinkTarget.resolve(target, from: item.names.dropLast()) else {
        warnings.append(
          .symlinkLeadsOutside(item.description, target: "\"\(printable(target))\""))
        break
      }
      // Linux gives every link all permissions, and libtorrent writes what it sees: with the same
      // attribute the same tree has the same infohash.
      let entry = FileEntry(
        path: try path(of: item), length: 0, attributes: .executable, symlinkTarget: resolved)
      found.append((entry, source))
    case .folder:
      folders.append(item.names)
    case .other(let kind):
      warnings.append(.special(item.description, kind: kind))
    }
    inhabited.insert(Array(item.names.dropLast()))
  }

  mutating func warnAboutEmptyFolders() {
    for names in folders where !inhabited.contains(names) && !names.isEmpty {
      warnings.append(.emptyFolder(ScannedItem(names: names, kind: .folder).description))
    }
  }

  private func path(of item: ScannedItem) throws(ImportError) -> ContentPath {
    do {
      if item.names.isEmpty { return try ContentPath([name]) }
      return try ContentPath(
        item.names.map { name throws(ContentPathError) in
          try PathElement(name)
        })
    } catch {
      throw .path(item.description, error)
    }
  }
}
