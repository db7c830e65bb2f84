/// Writes an info dictionary as libtorrent does, so that the same files have the same infohash.
/// BEP 3, BEP 47, BEP 52.
///
/// Precondition: files are in ascending order, and none of them is a folder too.
struct InfoWriter {
  private let torrent: TorrentDescription
  private let layout: V1Layout

  /// Throws when a path is a file and a folder, for which there is no tree.
  init(_ torrent: TorrentDescription, layout: V1Layout) throws(MetainfoError) {
    _ = try PathIndex(torrent.files.map { RawFile(entry: $0) })
    self.torrent = torrent
    self.layout = layout
  }

  /// Throws when `extraInfo` has a key that is written anyway.
  func encoded() throws(MetainfoError) -> [UInt8] {
    var keys = ownKeys
    let taken = Set(keys.map(\.key))
    for (key, value) in torrent.extraInfo {
      if taken.contains(key) {
        throw MetainfoError(
          .info, .description("extraInfo", "\"\(printable(key))\" is written already"))
      }
      keys.append(Key(key) { $0.value(value) })
    }
    keys.sort { $0.key.lexicographicallyPrecedes($1.key) }
    var encoder = BencodeEncoder(capacity: 160 * torrent.files.count + 20 * torrent.v1Pieces.count)
    encoder.beginDictionary()
    for key in keys {
      encoder.key(key.key)
      key.write(&encoder)
    }
    encoder.end()
    return encoder.bytes
  }

  private struct Key {
    let key: [UInt8]
    let write: (inout BencodeEncoder) -> Void

    init(_ key: [UInt8], write: @escaping (inout BencodeEncoder) -> Void) {
      self.key = key
      self.write = write
    }

    init(_ key: String, write: @escaping (inout BencodeEncoder) -> Void) {
      self.init(Array(key.utf8), write: write)
    }
  }

  private var ownKeys: [Key] {
    let torrent = torrent
    var keys = [
      Key("name") { $0.string(torrent.name.bytes) },
      Key("piece length") { $0.integer(Int64(torrent.pieceLength)) },
    ]
    if torrent.isPrivate { keys.append(Key("private") { $0.integer(1) }) }
    if let version = torrent.version { keys.append(Key("swarm") { $0.value(version.value) }) }
    if let source = torrent.source { keys.append(Key("source") { $0.string(source) }) }
    if torrent.kind.hasV2 {
      keys.append(Key("meta version") { $0.integer(2) })
      keys.append(Key("file tree") { writeTree(&$0) })
    }
    if torrent.kind.hasV1 {
      keys.append(Key("pieces") { $0.string(torrent.v1Pieces) })
      if torrent.isSingleFile {
        keys += singleFileKeys(torrent.files[0])
      } else {
        keys.append(Key("files") { writeList(&$0) })
      }
    }
    return keys
  }

  private func singleFileKeys(_ file: FileEntry) -> [Key] {
    var keys = [Key("length") { $0.integer(Int64(file.length)) }]
    if !file.letters.isEmpty { keys.append(Key("attr") { $0.string(file.letters) }) }
    if let target = file.symlinkTarget {
      keys.append(Key("symlink path") { $0.list(of: target) })
    }
    return keys
  }

  private func writeList(_ encoder: inout BencodeEncoder) {
    encoder.beginList()
    var end: UInt64 = 0
    for (file, offset) in zip(torrent.files, layout.offsets) {
      writePadding(&encoder, length: offset - end)
      end = offset + file.length
      encoder.beginDictionary()
      if !file.letters.isEmpty {
        encoder.key("attr")
        encoder.string(file.letters)
      }
      encoder.key("length")
      encoder.integer(Int64(file.length))
      encoder.key("path")
      encoder.list(of: file.path)
      if let target = file.symlinkTarget {
        encoder.key("symlink path")
        encoder.list(of: target)
      }
      encoder.end()
    }
    writePadding(&encoder, length: layout.length - end)
    encoder.end()
  }

  private func writePadding(_ encoder: inout BencodeEncoder, length: UInt64) {
    if length == 0 { return }
    encoder.beginDictionary()
    encoder.key("attr")
    encoder.string("p")
    encoder.key("length")
    encoder.integer(Int64(length))
    encoder.key("path")
    encoder.beginList()
    encoder.string(".pad")
    encoder.string(String(length))
    encoder.end()
    encoder.end()
  }

  private func writeTree(_ encoder: inout BencodeEncoder) {
    encoder.beginDictionary()
    var folders: ArraySlice<PathElement> = []
    for file in torrent.files {
      let wanted = file.path.elements.dropLast()
      let shared = zip(folders, wanted).prefix { $0 == $1 }.count
      for _ in shared..<folders.count { encoder.end() }
      for folder in wanted.dropFirst(shared) {
        encoder.key(folder.bytes)
        encoder.beginDictionary()
      }
      folders = wanted
      writeLeaf(&encoder, file)
    }
    for _ in folders { encoder.end() }
    encoder.end()
  }

  private func writeLeaf(_ encoder: inout BencodeEncoder, _ file: FileEntry) {
    for name in file.path.elements.suffix(1) { encoder.key(name.bytes) }
    encoder.beginDictionary()
    encoder.key("")
    encoder.beginDictionary()
    if !file.letters.isEmpty {
      encoder.key("attr")
      encoder.string(file.letters)
    }
    if let target = file.symlinkTarget {
      encoder.key("symlink path")
      encoder.list(of: target)
    } else {
      encoder.key("length")
      encoder.integer(Int64(file.length))
      if let root = file.piecesRoot {
        encoder.key("pieces root")
        encoder.string(root.bytes)
      }
    }
    encoder.end()
    encoder.end()
  }
}

extension FileEntry {
  /// The letters of `attr`, in the order in which libtorrent writes them. BEP 47.
  fileprivate var letters: String {
    (attributes.contains(.hidden) ? "h" : "") + (attributes.contains(.executable) ? "x" : "")
      + (symlinkTarget == nil ? "" : "l")
  }
}

extension BencodeEncoder {
  fileprivate mutating func list(of path: ContentPath) {
    beginList()
    for element in path.elements { string(element.bytes) }
    end()
  }
}
