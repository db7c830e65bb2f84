@testable import Metainfo

/// Small info dictionaries to bend: `a` of 5 bytes, `b/c` of 20,000, `e` empty; pieces of 16 KiB.
enum Samples {
  static func v2() -> BencodeValue {
    [
      "file tree": ["a": leaf(5), "b": ["c": leaf(20_000)], "e": leaf(0)],
      "meta version": .integer(2), "name": .text("t"), "piece length": .integer(16_384),
    ]
  }

  static func v1() -> BencodeValue {
    [
      "files": .list([file(5, "a"), file(20_000, "b", "c"), file(0, "e")]),
      "name": .text("t"), "piece length": .integer(16_384), "pieces": pieces(2),
    ]
  }

  static func hybrid() -> BencodeValue {
    var info = v2()
    info["files"] = .list([
      file(5, "a"), padding(16_379), file(20_000, "b", "c"), padding(12_768), file(0, "e"),
    ])
    info["pieces"] = pieces(3)
    return info
  }

  static func sample(_ kind: TorrentKind) -> BencodeValue {
    switch kind {
    case .v1: v1()
    case .v2: v2()
    case .hybrid: hybrid()
    }
  }

  /// A file in a file tree.
  static func leaf(_ length: Int64, root: UInt8 = 7) -> BencodeValue {
    var entry: BencodeValue = ["length": .integer(length)]
    if length > 0 { entry["pieces root"] = .string([UInt8](repeating: root, count: 32)) }
    return ["": entry]
  }

  /// A symlink in a file tree.
  static func link(_ target: String...) -> BencodeValue {
    ["": ["attr": .text("l"), "symlink path": .list(target.map { .text($0) })]]
  }

  /// A file in a file list.
  static func file(_ length: Int64, _ path: String...) -> BencodeValue {
    ["length": .integer(length), "path": .list(path.map { .text($0) })]
  }

  static func padding(_ length: Int64) -> BencodeValue {
    ["attr": .text("p"), "length": .integer(length)]
  }

  static func pieces(_ count: Int) -> BencodeValue {
    .string([UInt8](repeating: 9, count: 20 * count))
  }
}

extension BencodeValue: ExpressibleByDictionaryLiteral {
  /// A dictionary with keys of text.
  public init(dictionaryLiteral pairs: (String, BencodeValue)...) {
    self = .dictionary(
      [[UInt8]: BencodeValue](uniqueKeysWithValues: pairs.map { (Array($0.0.utf8), $0.1) }))
  }

  /// A dictionary's value.
  subscript(key: String) -> BencodeValue? {
    get {
      guard case .dictionary(let pairs) = self else { return nil }
      return pairs[Array(key.utf8)]
    }
    set {
      guard case .dictionary(var pairs) = self else { return }
      pairs[Array(key.utf8)] = newValue
      self = .dictionary(pairs)
    }
  }

  /// A list's value.
  subscript(index: Int) -> BencodeValue? {
    get {
      guard case .list(let values) = self else { return nil }
      return values[index]
    }
    set {
      guard case .list(var values) = self else { return }
      if let newValue { values[index] = newValue } else { values.remove(at: index) }
      self = .list(values)
    }
  }
}
