/// One name in a path: 1 to 255 bytes, neither "." nor "..", with no "/" and no NUL. The bytes are
/// kept as they came; they need not be UTF-8.
///
/// Invariant: joined to a folder, an element names an entry of that folder and nothing else.
public struct PathElement: Hashable, Comparable, Sendable {
  /// The name, as the file system has it.
  public let bytes: [UInt8]

  /// A checked name.
  public init(_ bytes: some Collection<UInt8>) throws(ContentPathError) {
    try Self.check(bytes)
    self.bytes = Array(bytes)
  }

  /// An element of a path that was checked.
  fileprivate init(checked bytes: ArraySlice<UInt8>) { self.bytes = Array(bytes) }

  /// Throws what is wrong with a name.
  static func check(_ bytes: some Collection<UInt8>) throws(ContentPathError) {
    if bytes.isEmpty { throw .empty }
    if bytes.count > MetainfoLimits.pathElementBytes { throw .elementTooLong(bytes.count) }
    if bytes.contains(0) { throw .nul }
    if bytes.contains(ContentPath.separator) { throw .slash }
    if bytes.elementsEqual(".".utf8) || bytes.elementsEqual("..".utf8) { throw .dots }
  }

  /// Byte order, which is the order of dictionary keys (BEP 3) and of a file tree (BEP 52).
  public static func < (a: PathElement, b: PathElement) -> Bool {
    a.bytes.lexicographicallyPrecedes(b.bytes)
  }
}

/// A path inside a torrent: at least one element, never absolute, never leading out. Byte for byte
/// as in the torrent.
///
/// Kept as one run of bytes: an array for each name would take twenty times the bytes that the name
/// has in a torrent.
public struct ContentPath: Hashable, Comparable, Sendable {
  /// The elements joined by "/".
  public let bytes: [UInt8]

  static let separator = UInt8(ascii: "/")

  /// A checked path.
  public init(_ elements: [PathElement]) throws(ContentPathError) {
    try self.init(joined: Array(elements.map(\.bytes).joined(separator: [Self.separator])))
  }

  /// A path from its elements, each of them checked, joined by "/". Keeps a copy.
  init(joined: some Collection<UInt8>) throws(ContentPathError) {
    if joined.isEmpty { throw .empty }
    let parts = joined.reduce(1) { $0 + ($1 == Self.separator ? 1 : 0) }
    if parts > MetainfoLimits.pathDepth { throw .tooDeep(parts) }
    let count = joined.count
    if count > MetainfoLimits.pathBytes { throw .tooLong(count) }
    // Room for these bytes and no more, wherever they came from.
    bytes = [UInt8](unsafeUninitializedCapacity: count) { room, initialized in
      initialized = room.initialize(fromContentsOf: joined)
    }
  }

  /// The names from the top folder down to the file. Made anew each time.
  public var elements: [PathElement] {
    bytes.split(separator: Self.separator).map { PathElement(checked: $0) }
  }

  /// The joined names of the folder that the path is in; empty at the top.
  var folder: ArraySlice<UInt8> { bytes[..<(bytes.lastIndex(of: Self.separator) ?? 0)] }

  /// Whether the path is `joined`, or inside of it as a folder.
  func starts(with joined: [UInt8]) -> Bool {
    bytes.starts(with: joined)
      && (bytes.count == joined.count || joined.isEmpty || bytes[joined.count] == Self.separator)
  }

  /// Element by element in byte order: the order of a file tree. BEP 52.
  public static func < (a: ContentPath, b: ContentPath) -> Bool {
    precedes(a.bytes, b.bytes)
  }

  /// The order of `<` for joined elements: that of their bytes, but "/" before all others.
  static func precedes(_ a: [UInt8], _ b: [UInt8]) -> Bool {
    a.withUnsafeBufferPointer { a in
      b.withUnsafeBufferPointer { b in
        let shorter = min(a.count, b.count)
        var index = 0
        while index < shorter, a[index] == b[index] { index += 1 }
        if index == shorter { return a.count < b.count }
        return b[index] != separator && (a[index] == separator || a[index] < b[index])
      }
    }
  }
}

/// Why bytes are not a path inside a torrent.
public enum ContentPathError: Error, Hashable, Sendable {
  /// A name, or the path itself, is empty.
  case empty
  /// A name has more bytes than any file system takes.
  case elementTooLong(Int)
  /// The path has more bytes than the system takes.
  case tooLong(Int)
  /// More folders inside each other than we follow.
  case tooDeep(Int)
  /// A name contains a NUL byte.
  case nul
  /// A name contains "/".
  case slash
  /// A name is "." or "..".
  case dots
}

extension ContentPathError: CustomStringConvertible {
  /// What is wrong with the name, as the end of a sentence.
  public var description: String {
    switch self {
    case .empty: "the name is empty"
    case .elementTooLong(let count):
      "the name has \(count) bytes, more than \(MetainfoLimits.pathElementBytes)"
    case .tooLong(let count): "the path has \(count) bytes, more than \(MetainfoLimits.pathBytes)"
    case .tooDeep(let count): "the path has \(count) parts, more than \(MetainfoLimits.pathDepth)"
    case .nul: "the name contains a NUL byte"
    case .slash: "the name contains \"/\""
    case .dots: "the name is \".\" or \"..\""
    }
  }
}

extension PathElement: CustomStringConvertible {
  /// The name for people: bytes that are not UTF-8, and control characters, as `\xNN`.
  public var description: String { printable(bytes) }
}

extension ContentPath: CustomStringConvertible {
  /// The path for people: bytes that are not UTF-8, and control characters, as `\xNN`.
  public var description: String { printable(bytes) }
}
