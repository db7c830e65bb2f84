import Glibc
import Metainfo

/// Read keys of private datasets, beside the secrets and kept as they are (docs/private.md):
///
///     keys/<key>.read   the read key in hexadecimal digits, and a line end
///
/// A dataset with such a file is private here. One without is so as well where its own folder says that it was:
/// `StateFolder.keptReadKey`, by which all but tests go.
extension KeyFolder {
  /// Where the read key of a dataset is kept.
  public func readKeyFile(of key: DatasetKey) -> [UInt8] {
    path.appending(path: Array("\(key.hex).read".utf8))
  }

  /// The read key of a dataset; nil where there is none. A file that
  /// cannot be used is an error: whoever took the dataset for a public one would give it away.
  public func readKey(of key: DatasetKey) throws(KeyError) -> ReadKey? {
    let file = readKeyFile(of: key)
    do throws(KeyError) {
      let lines = try Self.lines(in: file)
      guard lines.count == 1, let readKey = ReadKey(hex: lines[0]) else {
        throw KeyError.noReadKey(file)
      }
      return readKey
    } catch {
      if case .system(let reason) = error, reason.number == ENOENT { return nil }
      throw error
    }
  }

  /// Keeps a read key. Another one that is there already stays, and is an error.
  public func keep(_ readKey: ReadKey, of key: DatasetKey) throws(KeyError) {
    if let known = try self.readKey(of: key) {
      if known != readKey { throw .otherReadKey(key) }
      return
    }
    do throws(SystemError) {
      try StateFolder.make(path, mode: 0o700)
      try WholeFile.write(
        Array("\(readKey.hex)\n".utf8), to: readKeyFile(of: key), keepsExisting: true, mode: 0o600)
    } catch {
      throw .system(error)
    }
  }

  /// A new read key of a dataset, of which nobody else knows; the one that there is where there is one.
  public func makeReadKey(of key: DatasetKey) throws(KeyError) -> ReadKey {
    if let known = try readKey(of: key) { return known }
    var generator = SystemRandomNumberGenerator()
    let readKey = ReadKey(using: &generator)
    try keep(readKey, of: key)
    return readKey
  }

  /// The lines of a file with secrets, which nobody but its owner may read.
  static func lines(in file: [UInt8]) throws(KeyError) -> [Substring] {
    guard let opened = Descriptor(path: file, flags: O_RDONLY), let status = opened.status() else {
      throw .system(SystemError("read", file))
    }
    guard fileType(status) == S_IFREG else { throw .noKey(file) }
    if status.st_mode & (S_IRWXG | S_IRWXO) != 0 {
      throw .permissions(file, UInt32(status.st_mode & 0o777))
    }
    var bytes = [UInt8](repeating: 0, count: textBytes)
    guard let count = bytes.withUnsafeMutableBytes({ opened.read(into: $0, at: 0) }) else {
      throw .system(SystemError("read", file))
    }
    return lines(of: bytes[..<count])
  }

  /// The lines of such a text.
  static func lines(of text: some Collection<UInt8>) -> [Substring] {
    String(decoding: text, as: UTF8.self).split { $0.isNewline }
  }

  /// Longer than the longest of these files: two keys with their line ends.
  private static let textBytes = 192
}
