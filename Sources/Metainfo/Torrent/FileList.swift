/// Reads the v1 description of the files: `files`, or `length` alone. BEP 3, "info dictionary".
struct FileListReader {
  /// Files and symlinks in the order of the list, without padding.
  private(set) var files: [RawFile] = []
  /// First byte of each of `files` in the v1 stream.
  private var offsets: [UInt64] = []
  /// Bytes in the v1 stream so far, padding too.
  private var end: UInt64 = 0
  /// Whether `path.utf-8`, which old programs wrote beside `path`, is looked at.
  private let takesUTF8Paths: Bool

  var layout: V1Layout { V1Layout(offsets: offsets, length: end) }

  /// The files of a folder.
  init(list: BencodeList, takesUTF8Paths: Bool) throws(MetainfoError) {
    self.takesUTF8Paths = takesUTF8Paths
    var index = 0
    for node in list {
      try read(Fields(node, .file(index)), index: index)
      index += 1
    }
    if files.isEmpty { throw MetainfoError(.info, .noFiles) }
  }

  /// The one file that a torrent with `length` is. Its attributes stand in the info dictionary.
  init(single fields: Fields, name: PathElement) throws(MetainfoError) {
    takesUTF8Paths = false
    let letters = try fields.string("attr") ?? []
    let path: ContentPath
    do throws(ContentPathError) {
      path = try ContentPath([name])
    } catch {
      throw fields.fault(.path(error))
    }
    let length = try fields.count("length")
    try add(
      RawFile(
        entry: FileEntry(
          path: path, length: length, attributes: FileAttributes(letters: letters)),
        target: try RawFile.symlinkTarget(fields, letters: letters)))
  }

  private mutating func read(_ fields: Fields, index: Int) throws(MetainfoError) {
    let letters = try fields.string("attr") ?? []
    if letters.contains(UInt8(ascii: "p")) || Self.isPaddingOfBitComet(fields) {
      // What a padding file is called matters to nobody else, and it may have no name. BEP 47.
      try advance(try fields.count("length"))
      return
    }
    let target = try RawFile.symlinkTarget(fields, letters: letters)
    let length = target.isEmpty ? try fields.count("length") : 0
    try add(
      RawFile(
        entry: FileEntry(
          path: try path(fields, index: index), length: length,
          attributes: FileAttributes(letters: letters)),
        target: target, number: index))
  }

  private mutating func add(_ file: RawFile) throws(MetainfoError) {
    files.append(file)
    offsets.append(end)
    try advance(file.entry.length)
  }

  private mutating func advance(_ length: UInt64) throws(MetainfoError) {
    if length > MetainfoLimits.contentBytes - end { throw MetainfoError(.info, .contentTooLong) }
    end += length
  }

  private func path(_ fields: Fields, index: Int) throws(MetainfoError) -> ContentPath {
    if takesUTF8Paths, let list = fields.node["path.utf-8"]?.list,
      list.allSatisfy({ $0.string.map(isUTF8) ?? false }),
      let path = try? Self.path(list, index: index)
    {
      return path
    }
    guard let list = try fields.list("path") else { throw fields.missing("path") }
    return try Self.path(list, index: index)
  }

  private static func path(
    _ list: BencodeList, index: Int
  ) throws(MetainfoError) -> ContentPath {
    var joined: [UInt8] = []
    var part = 0
    for node in list {
      let place = MetainfoPlace.filePart(index, part: part)
      guard let name = node.string else {
        throw MetainfoError(place, .wrongKind("", expected: .string))
      }
      do throws(ContentPathError) {
        try PathElement.check(name)
      } catch {
        throw MetainfoError(place, .path(error))
      }
      if part > 0 { joined.append(ContentPath.separator) }
      joined.append(contentsOf: name)
      part += 1
    }
    do throws(ContentPathError) {
      return try ContentPath(joined: joined)
    } catch {
      throw MetainfoError(.file(index), .path(error))
    }
  }

  /// Whether the name is one that BitComet gives to padding files, which it does not mark otherwise.
  private static func isPaddingOfBitComet(_ fields: Fields) -> Bool {
    var last: BencodeNode?
    fields.node["path"]?.list?.forEach { last = $0 }
    return last?.string?.starts(with: "_____padding_file_".utf8) ?? false
  }
}

/// Whether `bytes` are valid UTF-8.
func isUTF8(_ bytes: ArraySlice<UInt8>) -> Bool {
  String(validating: bytes, as: UTF8.self) != nil
}
