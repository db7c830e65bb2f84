import Glibc
import Metainfo
import Store

/// Where the content of a dataset is, and how its files looked when they were hashed. While they look
/// the same, nobody has written to them by ordinary means (`FileEvidence`).
public struct ContentRecord: Hashable, Sendable {
  /// A file of a version that lies in our own folder, since the user's is never written to.
  public struct Shipped: Hashable, Sendable {
    /// Its path in the dataset.
    public let path: [UInt8]
    /// SHA-256 of its bytes: what it is called in our folder (`KeyedDataset.shippedPath`).
    public let digest: SHA256Digest
  }

  /// Whose the content is.
  public enum Owner: String, Sendable {
    /// Ours: written as it came from peers.
    case program
    /// The user's, never written to.
    case user
  }

  /// One thing in the content.
  public struct Item: Hashable, Sendable {
    /// Names from the content's folder down, joined by "/"; empty for content that is a file.
    public let path: [UInt8]
    /// What is there: "file", "executable", "symlink", or in its own words.
    public let kind: String
    /// What a symlink holds.
    public let text: [UInt8]
    /// How a file looks; nil for what is none.
    public let evidence: FileEvidence?
  }

  /// The real path of the content's folder, or of the file that it is.
  public var path: [UInt8]
  /// Whose it is.
  public var owner: Owner
  /// Whether all of it was right when it was hashed.
  public var isWhole: Bool
  /// What there is, ascending by path. Empty where we write, until all is there.
  public var items: [Item]
  /// Whether the program made it to follow a dataset, so that it may remove it when newer versions are
  /// here; false where somebody asked for this version, or put files there.
  public var isDisposable = false
  /// Files of the version besides that are not in the user's folder, ascending by path.
  public var shipped: [Shipped] = []

  /// A record from its parts.
  public init(path: [UInt8], owner: Owner, isWhole: Bool, items: [Item]) {
    self.path = path
    self.owner = owner
    self.isWhole = isWhole
    self.items = items
  }

  /// The items of a scan.
  public static func items(of scan: Scan) -> [Item] {
    items(of: scan.items, scan.stamps).sorted { $0.path.lexicographicallyPrecedes($1.path) }
  }

  /// The items of a scan in its own order.
  static func items(of found: [ScannedItem], _ stamps: [FileStamp?]) -> [Item] {
    zip(found, stamps).map { item, stamp in
      let path = Array(item.names.joined(separator: [UInt8(ascii: "/")]))
      let evidence = stamp.map(evidence)
      var text: [UInt8] = []
      let kind: String
      switch item.kind {
      case .file(_, let isExecutable, _): kind = isExecutable ? "executable" : "file"
      case .symlink(let target): (kind, text) = ("symlink", target)
      case .folder: kind = "folder"
      case .other(let name): kind = name
      }
      return Item(path: path, kind: kind, text: text, evidence: evidence)
    }
  }

  /// What is at the places of a torrent's files now, and nothing else: `path` is that of the content,
  /// as in a record. What is not there is left out.
  public static func items(of info: InfoDictionary, at path: [UInt8]) -> [Item] {
    var top = stat()
    // In v2 a folder with one file cannot be told from that file by the torrent. BEP 52.
    let isFile =
      info.isSingleFile
      && (path.withCPath { stat($0, &top) } != 0 || fileType(top) != S_IFDIR)
    return info.files.compactMap { entry -> Item? in
      let name = isFile ? [] : entry.path.bytes
      let full = isFile ? path : path.appending(path: name)
      var status = stat()
      guard full.withCPath({ lstat($0, &status) }) == 0 else { return nil }
      switch fileType(status) {
      case S_IFREG:
        return Item(
          path: name, kind: status.st_mode & S_IXUSR != 0 ? "executable" : "file", text: [],
          evidence: evidence(FileStamp(status)))
      case S_IFLNK:
        return Item(path: name, kind: "symlink", text: linkText(full), evidence: nil)
      default: return Item(path: name, kind: "other", text: [], evidence: nil)
      }
    }.sorted { $0.path.lexicographicallyPrecedes($1.path) }
  }

  private static func linkText(_ path: [UInt8]) -> [UInt8] {
    var text = [UInt8](repeating: 0, count: Int(PATH_MAX))
    let count = path.withCPath { path in
      text.withUnsafeMutableBytes { readlink(path, $0.baseAddress!, $0.count) }
    }
    return Array(text[..<max(count, 0)])
  }

  static func evidence(_ stamp: FileStamp) -> FileEvidence {
    FileEvidence(
      size: stamp.length, modified: nanoseconds(stamp.modified),
      changed: nanoseconds(stamp.changed),
      inode: stamp.inode)
  }

  /// The first thing that is not what it was: its path; nil when nothing is. A folder counts only by
  /// its name: what is in it is listed itself.
  public func firstDifference(from now: [Item]) -> [UInt8]? {
    for (before, item) in zip(items, now) where before != item {
      return before.path.lexicographicallyPrecedes(item.path) ? before.path : item.path
    }
    if items.count == now.count { return nil }
    return items.count > now.count ? items[now.count].path : now[items.count].path
  }

  private static func nanoseconds(_ time: FileStamp.Timestamp) -> Int64 {
    Int64(time.seconds) &* 1_000_000_000 &+ Int64(time.nanoseconds)
  }

  // MARK: On disk

  /// A bencoded dictionary, with a list for each item: path, kind, text; for a file size, times of
  /// change of content and of attributes (nanoseconds since 1970) and inode.
  var encoded: [UInt8] {
    var encoder = BencodeEncoder()
    encoder.beginDictionary()
    if isDisposable {
      encoder.key("disposable")
      encoder.integer(1)
    }
    encoder.key("items")
    encoder.beginList()
    for item in items {
      encoder.beginList()
      encoder.string(item.path)
      encoder.string(item.kind)
      encoder.string(item.text)
      if let evidence = item.evidence {
        encoder.integer(Int64(bitPattern: evidence.size))
        encoder.integer(evidence.modified)
        encoder.integer(evidence.changed)
        encoder.integer(Int64(bitPattern: evidence.inode))
      }
      encoder.end()
    }
    encoder.end()
    encoder.key("owner")
    encoder.string(owner.rawValue)
    encoder.key("path")
    encoder.string(path)
    if !shipped.isEmpty {
      encoder.key("shipped")
      encoder.beginList()
      for file in shipped {
        encoder.beginList()
        encoder.string(file.path)
        encoder.string(file.digest.bytes)
        encoder.end()
      }
      encoder.end()
    }
    encoder.key("whole")
    encoder.integer(isWhole ? 1 : 0)
    encoder.end()
    return encoder.bytes
  }

  /// A record from its bytes; nil when they are none.
  init?(decoding bytes: [UInt8]) {
    guard let node = try? Bencode.decode(bytes, limits: .torrent),
      let path = node["path"]?.string, let list = node["items"]?.list,
      let owner = node["owner"]?.string.flatMap({ Owner(rawValue: Self.text($0)) }),
      let whole = node["whole"]?.integer
    else { return nil }
    var items: [Item] = []
    items.reserveCapacity(list.count)
    for item in list {
      guard let item = Self.item(item) else { return nil }
      items.append(item)
    }
    self.init(path: Array(path), owner: owner, isWhole: whole == 1, items: items)
    isDisposable = node["disposable"]?.integer == 1
    guard let list = node["shipped"]?.list else { return }
    for file in list {
      let parts = file.list?.compactMap(\.string) ?? []
      guard parts.count == 2, let digest = SHA256Digest(parts[1]) else { return nil }
      shipped.append(Shipped(path: Array(parts[0]), digest: digest))
    }
  }

  private static func item(_ node: BencodeNode) -> Item? {
    guard let list = node.list, list.count == 3 || list.count == 7 else { return nil }
    let texts = list.prefix(3).compactMap(\.string)
    let numbers = list.dropFirst(3).compactMap(\.integer)
    guard texts.count == 3, numbers.count == list.count - 3 else { return nil }
    let evidence =
      numbers.isEmpty
      ? nil
      : FileEvidence(
        size: UInt64(bitPattern: numbers[0]), modified: numbers[1], changed: numbers[2],
        inode: UInt64(bitPattern: numbers[3]))
    return Item(
      path: Array(texts[0]), kind: text(texts[1]), text: Array(texts[2]), evidence: evidence)
  }

  private static func text(_ bytes: ArraySlice<UInt8>) -> String {
    String(decoding: bytes, as: UTF8.self)
  }
}
