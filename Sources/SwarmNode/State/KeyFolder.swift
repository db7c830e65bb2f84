import Glibc
import Metainfo

/// The secrets of datasets, one file each, that nobody but their owner may read:
///
///     keys/<key>      the seed of the key pair in hexadecimal digits, and a line end
///
/// What a message says of them is their path and the key, never the secret.
public struct KeyFolder: Sendable {
  /// Its path.
  public let path: [UInt8]

  init(path: [UInt8]) { self.path = path }

  /// Where the secret of a key is kept.
  public func file(of key: DatasetKey) -> [UInt8] { path.appending(path: Array(key.hex.utf8)) }

  /// The keys whose secrets are here, ascending. Files that are none are skipped.
  public func keys() throws(SystemError) -> [DatasetKey] {
    let scan: Scan
    do throws(SystemError) {
      scan = try FolderScanner.scan(path)
    } catch {
      if error.number == ENOENT { return [] }
      throw error
    }
    return scan.items.compactMap { item in
      guard item.names.count == 1 else { return nil }
      let name = String(decoding: item.names[0], as: UTF8.self)
      return DatasetKey(hex: name).flatMap { $0.hex == name ? $0 : nil }
    }.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
  }

  /// The secret of a key; nil when it is not here.
  public func secret(of key: DatasetKey) throws(KeyError) -> DatasetSecret? {
    let file = file(of: key)
    let secret: DatasetSecret
    do throws(KeyError) {
      secret = try Self.read(file)
    } catch {
      if case .system(let reason) = error, reason.number == ENOENT { return nil }
      throw error
    }
    if secret.key != key { throw .otherKey(file, secret.key) }
    return secret
  }

  /// Keeps a secret. One that is there already is left alone.
  public func keep(_ secret: DatasetSecret) throws(KeyError) {
    if try self.secret(of: secret.key) != nil { return }
    do throws(SystemError) {
      try StateFolder.make(path, mode: 0o700)
      try Self.write(secret, to: file(of: secret.key))
    } catch {
      throw .system(error)
    }
  }

  /// A new key, of which nobody else knows: kept before it is used.
  public func make() throws(KeyError) -> DatasetSecret {
    var generator = SystemRandomNumberGenerator()
    let seed = (0..<DatasetSecret.seedByteCount).map { _ in
      UInt8.random(in: .min ... .max, using: &generator)
    }
    guard let secret = DatasetSecret(seed: seed) else {
      preconditionFailure("a seed has \(DatasetSecret.seedByteCount) bytes")
    }
    try keep(secret)
    return secret
  }

  // MARK: Files with a secret

  /// The secret in a file that nobody but its owner may read.
  public static func read(_ file: [UInt8]) throws(KeyError) -> DatasetSecret {
    guard let opened = Descriptor(path: file, flags: O_RDONLY), let status = opened.status() else {
      throw .system(SystemError("read", file))
    }
    guard fileType(status) == S_IFREG else { throw .noKey(file) }
    if status.st_mode & (S_IRWXG | S_IRWXO) != 0 {
      throw .permissions(file, UInt32(status.st_mode & 0o777))
    }
    var bytes = [UInt8](repeating: 0, count: textBytes + 2)
    guard let count = bytes.withUnsafeMutableBytes({ opened.read(into: $0, at: 0) }) else {
      throw .system(SystemError("read", file))
    }
    return try parse(bytes[..<count], from: file)
  }

  /// The secret in the text of such a file, wherever it came from; `place` is for errors.
  public static func parse(
    _ text: some Collection<UInt8>, from place: [UInt8]
  ) throws(KeyError) -> DatasetSecret {
    let digits = text.reversed().drop { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }
    guard digits.count == textBytes,
      let seed = [UInt8](hex: String(decoding: digits.reversed(), as: UTF8.self)),
      let secret = DatasetSecret(seed: seed)
    else { throw .noKey(place) }
    return secret
  }

  /// The text of such a file.
  public static func text(of secret: DatasetSecret) -> [UInt8] {
    Array(secret.seed.hex.utf8) + [UInt8(ascii: "\n")]
  }

  /// Puts a secret into a new file with mode 0600, whole or not at all; one that is there is an error
  /// (EEXIST).
  public static func write(_ secret: DatasetSecret, to file: [UInt8]) throws(SystemError) {
    try WholeFile.write(text(of: secret), to: file, keepsExisting: true, mode: 0o600)
  }

  /// Hexadecimal digits of a seed.
  private static let textBytes = 2 * DatasetSecret.seedByteCount
}

/// Why a key's secret cannot be used.
public enum KeyError: Error, Hashable, Sendable, CustomStringConvertible {
  /// A system call failed.
  case system(SystemError)
  /// Others than the owner may read or write the file: its path and permissions.
  case permissions([UInt8], UInt32)
  /// The file holds no secret.
  case noKey([UInt8])
  /// The file holds the secret of another key.
  case otherKey([UInt8], DatasetKey)

  /// What is wrong, where, and what to do.
  public var description: String {
    switch self {
    case .system(let error): error.description
    case .permissions(let file, let mode):
      "\(printable(file)) holds the secret of a dataset and has the permissions "
        + "0\(String(mode, radix: 8)), so that others may know it: if they cannot, chmod 600 it; if "
        + "they can, publish under a new key"
    case .noKey(let file):
      "\(printable(file)) does not hold the secret of a dataset: 64 hexadecimal digits in a line"
    case .otherKey(let file, let key):
      "\(printable(file)) holds the secret of another dataset, \(key)"
    }
  }
}
