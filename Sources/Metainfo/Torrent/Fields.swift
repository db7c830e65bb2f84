/// A dictionary of a torrent, read key by key. A key that is there must be of the right kind.
struct Fields {
  let node: BencodeNode
  let place: MetainfoPlace

  init(_ node: BencodeNode, _ place: MetainfoPlace) throws(MetainfoError) {
    guard node.kind == .dictionary else {
      throw MetainfoError(place, .wrongKind("", expected: .dictionary))
    }
    self.node = node
    self.place = place
  }

  func integer(_ key: StaticString) throws(MetainfoError) -> Int64? {
    guard let value = node[key] else { return nil }
    guard let integer = value.integer else { throw wrongKind(key, .integer) }
    return integer
  }

  func string(_ key: StaticString) throws(MetainfoError) -> ArraySlice<UInt8>? {
    guard let value = node[key] else { return nil }
    guard let string = value.string else { throw wrongKind(key, .string) }
    return string
  }

  func list(_ key: StaticString) throws(MetainfoError) -> BencodeList? {
    guard let value = node[key] else { return nil }
    guard let list = value.list else { throw wrongKind(key, .list) }
    return list
  }

  /// Text for people, in any encoding.
  func text(_ key: StaticString) throws(MetainfoError) -> [UInt8]? {
    guard let string = try string(key) else { return nil }
    if string.count > MetainfoLimits.textBytes {
      throw fault(.textTooLong("\(key)", string.count))
    }
    return Array(string)
  }

  /// A list that is of use only if it is short.
  func shortList(_ key: StaticString) throws(MetainfoError) -> BencodeList? {
    guard let list = try list(key) else { return nil }
    if list.count > MetainfoLimits.listEntries { throw tooManyEntries(key) }
    return list
  }

  func dictionary(_ key: StaticString) throws(MetainfoError) -> BencodeDictionary? {
    guard let value = node[key] else { return nil }
    guard let dictionary = value.dictionary else { throw wrongKind(key, .dictionary) }
    return dictionary
  }

  /// A number that must be there and must not be negative.
  func count(_ key: StaticString) throws(MetainfoError) -> UInt64 {
    guard let value = try integer(key) else { throw missing(key) }
    guard let count = UInt64(exactly: value) else { throw fault(.negative("\(key)", value)) }
    return count
  }

  /// A URL: empty strings, which some programs write for "none", count as absent.
  func url(_ string: ArraySlice<UInt8>, _ key: StaticString) throws(MetainfoError) -> String? {
    guard let text = String(validating: string, as: UTF8.self) else {
      throw fault(.notUTF8("\(key)"))
    }
    return text.isEmpty ? nil : text
  }

  func missing(_ key: StaticString) -> MetainfoError { fault(.missing("\(key)")) }

  func wrongKind(_ key: StaticString, _ kind: BencodeKind) -> MetainfoError {
    fault(.wrongKind("\(key)", expected: kind))
  }

  func tooManyEntries(_ key: StaticString) -> MetainfoError { fault(.tooManyEntries("\(key)")) }

  func fault(_ reason: MetainfoFault) -> MetainfoError { MetainfoError(place, reason) }
}

extension FileAttributes {
  /// Attributes from their letters; letters that are none are ignored. BEP 47, "attr".
  init(letters: ArraySlice<UInt8>) {
    self = []
    if letters.contains(UInt8(ascii: "x")) { insert(.executable) }
    if letters.contains(UInt8(ascii: "h")) { insert(.hidden) }
  }
}

/// What a file list or a file tree says of one file, before symlinks are resolved.
struct RawFile {
  var entry: FileEntry
  /// The names in `symlink path` joined by "/", "." and ".." among them; empty for a file.
  var target: [UInt8] = []
  /// Its number in the v1 file list, padding counted.
  var number = 0
}

extension RawFile {
  /// The names of a symlink's target joined by "/", if `letters` say that it is one.
  static func symlinkTarget(
    _ fields: Fields, letters: ArraySlice<UInt8>
  ) throws(MetainfoError) -> [UInt8] {
    guard letters.contains(UInt8(ascii: "l")) else { return [] }
    if let length = try fields.integer("length"), length != 0 {
      throw fields.fault(.symlinkWithLength)
    }
    guard let list = try fields.list("symlink path"), list.count > 0 else {
      throw fields.missing("symlink path")
    }
    if list.count > 2 * MetainfoLimits.pathDepth {
      throw fields.fault(.path(.tooDeep(list.count)))
    }
    var joined: [UInt8] = []
    for item in list {
      guard let name = item.string else { throw fields.wrongKind("symlink path", .string) }
      if !name.elementsEqual(".".utf8) && !name.elementsEqual("..".utf8) {
        do throws(ContentPathError) {
          try PathElement.check(name)
        } catch {
          throw fields.fault(.path(error))
        }
      }
      if !joined.isEmpty { joined.append(ContentPath.separator) }
      joined.append(contentsOf: name)
    }
    return joined
  }
}
