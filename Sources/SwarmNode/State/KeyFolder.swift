import Glibc
import Metainfo

/// The secrets of datasets, one file each, that nobody but their owner may read:
///
///     keys/<key>        the seed of the key pair in hexadecimal digits, and a line end
///     keys/<key>.read   the read key of a private dataset, of which there need be no secret
///
/// What a message says of them is their path and the key, never the secret.
public struct KeyFolder: Sendable {
  /// Its path.
  public let path: [UInt8]

  init(path: [UInt8]) { self.path = path }

  /// Where the secret of a key is kept.
  public func file(of key: DatasetKey) -> [UInt8] { path.appending(path: Array(key.hex.utf8)) }

  /// The keys whose secrets are here, ascending. Files that are none are skipped.
  public func keys() throws(SystemError) -> [DatasetKey] { try keys(ending: "") }

  /// The private datasets that are known here, ascending.
  public func privateKeys() throws(SystemError) -> [DatasetKey] { try keys(ending: ".read") }

  private func keys(ending: String) throws(SystemError) -> [DatasetKey] {
    let scan: Scan
    do throws(SystemError) {
      scan = try FolderScanner.scan(path)
    } catch {
      if error.number == ENOENT { return [] }
      throw error
    }
    return scan.items.compactMap { item in
      guard item.names.count == 1, item.names[0].reversed().starts(with: ending.utf8.reversed())
      else { return nil }
      let name = String(decoding: item.names[0].dropLast(ending.utf8.count), as: UTF8.self)
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
      try Self.write(Contents(secret: secret, readKey: nil), to: file(of: secret.key))
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

  /// What a file with a secret holds.
  public struct Contents: Sendable {
    /// The secret.
    public let secret: DatasetSecret
    /// The read key, where the dataset is private and the file is one to take to another machine.
    public let readKey: ReadKey?

    /// Contents from their parts.
    public init(secret: DatasetSecret, readKey: ReadKey?) {
      self.secret = secret
      self.readKey = readKey
    }
  }

  private static func read(_ file: [UInt8]) throws(KeyError) -> DatasetSecret {
    try contents(of: file).secret
  }

  /// What is in a file that nobody but its owner may read.
  public static func contents(of file: [UInt8]) throws(KeyError) -> Contents {
    try parse(lines(in: file), from: file)
  }

  /// What is in the text of such a file, wherever it came from; `place` is for errors.
  public static func parse(
    _ text: some Collection<UInt8>, from place: [UInt8]
  ) throws(KeyError) -> Contents {
    try parse(lines(of: text), from: place)
  }

  private static func parse(
    _ lines: [Substring], from place: [UInt8]
  ) throws(KeyError) -> Contents {
    guard (1...2).contains(lines.count), let seed = [UInt8](hex: lines[0]),
      let secret = DatasetSecret(seed: seed)
    else { throw .noKey(place) }
    guard lines.count == 2 else { return Contents(secret: secret, readKey: nil) }
    guard let readKey = ReadKey(hex: lines[1]) else { throw .noReadKey(place) }
    return Contents(secret: secret, readKey: readKey)
  }

  /// The text of such a file: a line with the seed, and for a private dataset one with the read key.
  public static func text(of contents: Contents) -> [UInt8] {
    Array(contents.secret.seed.hex.utf8) + [UInt8(ascii: "\n")]
      + (contents.readKey.map { Array("\($0.hex)\n".utf8) } ?? [])
  }

  /// Puts secrets into a new file with mode 0600, whole or not at all; one that is there is an error
  /// (EEXIST).
  public static func write(_ contents: Contents, to file: [UInt8]) throws(SystemError) {
    try WholeFile.write(text(of: contents), to: file, keepsExisting: true, mode: 0o600)
  }
}

/// Why a key's secret cannot be used.
public enum KeyError: Error, Hashable, Sendable, CustomStringConvertible {
  /// A system call failed.
  case system(SystemError)
  /// Others than the owner may read or write the file: its path and permissions.
  case permissions([UInt8], UInt32)
  /// The file holds no secret.
  case noKey([UInt8])
  /// The file does not hold the read key that it should.
  case noReadKey([UInt8])
  /// The dataset is private, and the file with its read key is gone.
  case lostReadKey([UInt8], DatasetKey)
  /// Another read key of this dataset is known.
  case otherReadKey(DatasetKey)
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
    case .noReadKey(let file):
      "\(printable(file)) does not hold the read key of a private dataset: 64 hexadecimal digits in a line"
    case .lostReadKey(let file, let key):
      "the dataset \(key) is private, and its read key is not in \(printable(file)) any more; without it nothing "
        + "of the dataset is asked for or told: put the file back, or join by the whole link (x.rk=) once more"
    case .otherReadKey(let key):
      "the private dataset \(key) is known here by another read key (x.rk=) than this one: use the link that it "
        + "was joined by, or another --state"
    case .otherKey(let file, let key):
      "\(printable(file)) holds the secret of another dataset, \(key)"
    }
  }
}
