import Glibc

/// Where a path really leads.
public enum RealPath {
  /// The absolute path without symlinks, "." and ".."; the file must exist.
  public static func resolve(_ path: [UInt8]) throws(SystemError) -> [UInt8] {
    guard let resolved = path.withCPath({ realpath($0, nil) }) else {
      throw SystemError("find", path)
    }
    defer { free(resolved) }
    return Array(UnsafeRawBufferPointer(start: resolved, count: strlen(resolved)))
  }

  /// The last name of a path as people give it: "data" for "data/", the folder's own name for ".".
  public static func lastName(of path: [UInt8]) throws(SystemError) -> [UInt8] {
    let names = path.split(separator: UInt8(ascii: "/"))
    if let last = names.last, !last.elementsEqual(".".utf8), !last.elementsEqual("..".utf8) {
      return Array(last)
    }
    return Array(try resolve(path).split(separator: UInt8(ascii: "/")).last ?? [])
  }
}
