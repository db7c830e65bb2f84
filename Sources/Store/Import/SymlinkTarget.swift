import Metainfo

/// Translates between the text in a symlink and its path from the torrent's root. BEP 47.
public enum SymlinkTarget {
  /// The target of a link, from the root down; nil when it lies outside. Pure text: what the names
  /// mean on disk does not matter to whoever unpacks the torrent.
  ///
  /// - Parameters:
  ///   - text: What the link holds.
  ///   - folder: Names from the root to the folder in which the link lies.
  public static func resolve(_ text: some Collection<UInt8>, from folder: some Sequence<[UInt8]>)
    -> ContentPath?
  {
    guard text.first != UInt8(ascii: "/") else { return nil }
    var names = Array(folder)
    for part in text.split(separator: UInt8(ascii: "/")) {
      if part.elementsEqual(".".utf8) { continue }
      if part.elementsEqual("..".utf8) {
        guard names.popLast() != nil else { return nil }
      } else {
        names.append(Array(part))
      }
    }
    let elements = names.compactMap { try? PathElement($0) }
    return elements.count == names.count ? try? ContentPath(elements) : nil
  }

  /// As above, for the link at `path`.
  public static func resolve(_ text: some Collection<UInt8>, from path: ContentPath)
    -> ContentPath?
  {
    resolve(text, from: path.elements.dropLast().map(\.bytes))
  }
}
